"""The page: whole, escaped, the same each time, and no number that is not in a table."""

import csv
import io
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest

from pipeline.report.page import build_report

VOID = {"meta", "link", "br", "input"}
HOSTILE = "<script>alert('&')</script>\""


class Page(HTMLParser):
    """What the tests ask of a page: its elements, each with its text, and whether they nest."""

    def __init__(self, text):
        super().__init__()
        self.elements = []
        self._open = []
        self.feed(text)
        assert not self._open

    def handle_starttag(self, tag, attrs):
        element = {"tag": tag, "text": "", **dict(attrs), "parents": [one["tag"] for one in self._open]}
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self._open.pop()["tag"] == tag

    def handle_data(self, data):
        for element in self._open:
            element["text"] += data

    def find(self, tag, **wanted):
        return [one for one in self.elements if one["tag"] == tag and all(one.get(k) == v for k, v in wanted.items())]


def build(runs, folder):
    folder.mkdir(exist_ok=True)
    build_report(runs, "default", folder)
    return (folder / "index.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def many(make_run, tmp_path_factory):
    """Four students, two tasks, two teachers; without comparators, without telemetry, with one seed among them."""
    runs = [
        make_run(),
        make_run(teacher="llama-local", comparators=()),
        make_run("thematic", labels=("Business", "Sci/Tech", "Sports", "World"), telemetry=False),
        make_run("thematic", "llama-local", labels=("Business", "Sci/Tech", "Sports", "World"), seeds=1),
    ]
    return Page(build(runs, tmp_path_factory.mktemp("many")))


def test_page_needs_nothing_from_outside(many):
    addresses = [one[key] for one in many.elements for key in ("href", "src", "action", "data", "poster") if key in one]
    assert addresses
    assert all(address.startswith(("#", "data:")) for address in addresses)
    style = many.find("style")[0]["text"]
    assert not re.search(r"@import|url\(|https?:", style)
    assert not re.search(r"https?:|fetch|import\b", many.find("script")[0]["text"])


def test_ids_are_unique_and_every_reference_has_its_target(many):
    ids = Counter(one["id"] for one in many.elements if "id" in one)
    assert set(ids.values()) == {1}
    keys = ("aria-labelledby", "aria-describedby", "clip-path", "href")
    values = [one[key] for one in many.elements for key in keys if one.get(key) and not one[key].startswith("data:")]
    named = {re.sub(r"^url\(#(.*)\)$|^#(.*)$", r"\1\2", value) for value in values}
    assert named <= set(ids)


def test_every_figure_has_a_title_and_a_description(many):
    texts = {one["id"]: one["text"].strip() for one in many.elements if "id" in one}
    drawings = many.find("svg")
    # What teachers were worth, lengths by task, accuracy by split, five by student, fine-tuning and comparators of
    # three, one circuit for all.
    assert len(drawings) == 1 + 2 + 2 + 5 * 4 + 3 + 3 + 1
    for drawing in drawings:
        assert drawing["role"] == "img"
        assert texts[drawing["aria-labelledby"]]
        assert texts[drawing["aria-describedby"]]
    assert len({texts[drawing["aria-labelledby"]] for drawing in drawings}) >= len(drawings) - 3


def test_every_figure_with_data_gives_it_as_csv(many):
    figures = [one for one in many.find("figure") if one.get("class") != "circuit"]
    links = [one for one in many.find("a", **{"class": "download"}) if "figcaption" in one["parents"]]
    assert len(links) == len(figures)
    for link in links:
        head, _, content = link["href"].partition(",")
        assert head == "data:text/csv;charset=utf-8"
        assert len(list(csv.DictReader(io.StringIO(unquote(content))))) > 0
    assert len({link["download"] for link in links}) == len(links)


def test_every_table_has_a_name_and_column_headers(many):
    tables = many.find("table")
    assert all(table.get("aria-labelledby") for table in tables)
    assert all(one.get("scope") for one in many.find("th"))


def test_headings_follow_the_datas_way(many):
    assert [one["text"] for one in many.find("h2")] == [
        *("Results", "Comparators", "Data", "Teachers", "Students against teachers", "Learning curves", "Confusion"),
        *("Calibration", "Abstaining, and asking the teacher", "Circuit", "Parameters, time and memory"),
        "Paper and ours",
    ]


def test_summary_shows_the_runs_numbers(make_run, tmp_path):
    run = make_run()
    text = build([run], tmp_path / "one")
    table = text.partition('aria-labelledby="table-summary">\n    <table')[2].partition("</table>")[0]
    cells = Page(f"<table{table}</table>").find("td")
    test, summary = run.summary.metrics.test, run.summary
    trivial = [summary.trivial["trivial_accuracy"], summary.trivial["trivial_f1"]]
    student = [test.accuracy, test.accuracy_low, test.accuracy_high, test.f1, *trivial, test.agreement, test.kl]
    expected = [summary.teacher_metrics.test.accuracy, *student, summary.parameters.trainable, 1]
    assert [float(cell["data-value"]) for cell in cells[2:]] == expected
    assert [cell["text"] for cell in cells[2:]] == [f"{value:.4f}" for value in expected[:-2]] + ["8,811", "1"]


def test_every_number_on_the_page_is_in_a_table(make_run, tmp_path):
    """What stands in a cell of the page stands in the CSV beside it, in full."""
    page = Page(build([make_run()], tmp_path / "one"))
    read = [
        list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))
        for path in (tmp_path / "one/tables").glob("*.csv")
    ]
    known = {cell for rows in read for row in rows for cell in row}
    shown = {cell["data-value"] for cell in page.find("td") if "data-value" in cell}
    assert len(shown) > 200
    assert shown <= known


def test_confusion_shows_the_matrix(make_run, tmp_path):
    run = make_run()
    page = Page(build([run], tmp_path / "one"))
    counts = [int(one["text"]) for one in page.find("small") if "figure" in one["parents"]]
    confusion = run.summary.confusion
    assert counts == [count for matrix in (confusion.teacher, confusion.student) for row in matrix for count in row]


def test_every_table_of_the_paper_is_there(many):
    names = {link["download"] for link in many.find("a", **{"class": "download"})}
    assert {"table_1.csv", "table_3.csv", "tables_4_to_6.csv", "table_7.csv", "table_8.csv", "deviations.csv"} <= names


def test_verdicts_name_the_test_and_what_was_tuned(make_run, tmp_path):
    text = build([make_run()], tmp_path / "one")
    assert "By its chosen seed the student is worse than the linear model" in text
    assert "not tuned" in text
    assert "not tuned" not in Page(build([make_run(settings=2)], tmp_path / "two")).find("tbody")[1]["text"]


def test_without_any_comparator_the_page_says_so(make_run, tmp_path):
    text = build([make_run(comparators=())], tmp_path / "one")
    assert "nothing can be said about what the circuit adds" in text


def test_without_records_and_cards_the_page_has_gaps(make_run, tmp_path):
    page = Page(build([make_run(telemetry=False)], tmp_path / "one"))
    assert len(page.find("h2")) == 12
    assert not [one for one in page.find("strong") if one["text"].startswith(("Fine-tuning, e", "Length"))]


def test_names_and_labels_are_text_and_never_markup(make_run, tmp_path):
    hostile, harmless = (
        Page(build([one], tmp_path / name))
        for name, one in (("h", make_run(HOSTILE, HOSTILE, labels=(HOSTILE, "b"))), ("t", make_run("t", "u")))
    )
    # The drawings' own marks aside: they differ with the numbers.
    tags = [Counter(one["tag"] for one in page.elements if "svg" not in one["parents"]) for page in (hostile, harmless)]
    assert tags[0] == tags[1]
    assert HOSTILE in {one["text"].strip() for one in hostile.find("th")}
    assert hostile.find("tr", **{"data-task": HOSTILE})


def test_same_runs_give_the_same_bytes(make_run, tmp_path):
    pages = [build([make_run(), make_run("hiding")], tmp_path / name) for name in ("a", "b")]
    assert pages[0] == pages[1]
    tables = [{path.name: path.read_bytes() for path in (tmp_path / name / "tables").iterdir()} for name in ("a", "b")]
    assert tables[0] == tables[1]


def test_a_student_without_a_polynomial_has_no_figure_of_it(make_run, tmp_path):
    run = make_run()
    page = Page(build([run], tmp_path / "with"))
    assert any("Circuit as a polynomial" in one["text"] for one in page.find("figcaption"))
    run = replace(run, summary=replace(run.summary, surrogate=None))
    page = Page(build([run], tmp_path / "without"))
    assert not any("polynomial" in one["text"] for one in page.find("figcaption") + page.find("strong"))
