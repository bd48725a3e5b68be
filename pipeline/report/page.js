// Sorting and filtering; the page is complete without them.
"use strict";

function keyOf(row, column) {
  const cell = row.cells[column];
  if (!("value" in cell.dataset)) return cell.textContent;
  return cell.dataset.value === "" ? null : Number(cell.dataset.value);
}

function compare(a, b) {
  return typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true });
}

function sort(table, header) {
  const descending = header.getAttribute("aria-sort") === "ascending";
  for (const other of header.parentElement.cells) other.setAttribute("aria-sort", "none");
  header.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const column = header.cellIndex;
  const body = table.tBodies[0];
  const rows = [...body.rows].sort((first, second) => {
    const [a, b] = [keyOf(first, column), keyOf(second, column)];
    if (a === null || b === null) return (a === null) - (b === null); // what is missing stays last, either way
    return descending ? compare(b, a) : compare(a, b);
  });
  body.append(...rows);
}

for (const table of document.querySelectorAll("table.sortable")) {
  for (const header of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    button.addEventListener("click", () => sort(table, header));
    header.append(button);
    header.setAttribute("aria-sort", "none");
  }
}

const filter = document.querySelector("form.filter");
if (filter) {
  filter.hidden = false;
  filter.addEventListener("change", () => {
    for (const element of document.querySelectorAll("[data-task], [data-teacher]")) {
      element.hidden = ["task", "teacher"].some((key) => {
        const wanted = filter.elements[key]?.value;
        return wanted && key in element.dataset && element.dataset[key] !== wanted;
      });
    }
  });
  filter.reset(); // a browser that restores the form after a reload would show a choice that hides nothing
}
