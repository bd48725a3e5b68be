"""`qdllm results`: the table of all that was evaluated and compared, and where the report is.

In: evaluations/, comparisons/.  Out: results (a click command).  Imports: tabulate; no torch, no jax.
"""

import json
from pathlib import Path

import click
from tabulate import tabulate

from pipeline.params import read_active, read_comparators
from pipeline.report.columns import Column, Table
from pipeline.report.paired_tests import tabulate_verdicts
from pipeline.report.runs import Places, read_runs
from pipeline.report.student_tables import tabulate_summary
from pipeline.report.trivial import list_warnings, tabulate_trivial

_PATH = click.Path(path_type=Path)
# Short enough for a terminal of 80 columns.
STUDENTS = {
    "task": "task",
    "teacher": "teacher",
    "teacher_accuracy": "T acc",
    "accuracy": "S acc",
    "margin": "+/-",
    "f1": "S F1",
    "agreement": "agree",
    "trainable_parameters": "params",
}
TRIVIAL = {
    "task": "task",
    "texts": "texts",
    "trivial_label": "always",
    "trivial_accuracy": "acc",
    "trivial_f1": "F1",
}
COMPARATORS = {
    "task": "task",
    "teacher": "teacher",
    "comparator": "comparator",
    "student_accuracy": "S",
    "accuracy": "C",
    "p_adjusted": "p",
    "verdict": "student",
}
# What names of the user's own are wrapped to fit, at the least so wide.
WIDTH = 80
NARROWEST = 7
OURS = ("comparator", "verdict")


@click.command()
@click.option("--evaluations", type=_PATH, default=Path("evaluations"), show_default=True)
@click.option("--comparisons", type=_PATH, default=Path("comparisons"), show_default=True)
@click.option("--report", type=_PATH, default=Path("reports"), show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON: all numbers of the students, and the paired tests.")
def results(evaluations: Path, comparisons: Path, report: Path, as_json: bool) -> None:
    """Print teachers, students and comparators side by side, and the path of the report.

    First the trivial score: what saying a task's most frequent class of every test text has. A student's numbers are
    means over its seeds; +/- reaches to the ends of the 95 % interval of the mean, which covers the seeds and not the
    choice of texts. F1 is the mean over the classes. The last table's accuracies are of the chosen seeds, as is the
    paired test, whose p is adjusted for all tests of the table; no difference: none is shown. T, S, C: teacher,
    student, comparator.
    """
    runs = read_runs(Places(evaluations, comparisons), *read_active(), read_comparators())
    students, verdicts = tabulate_summary(runs), tabulate_verdicts(runs)
    if as_json:
        click.echo(json.dumps({"students": students.records(), "comparators": verdicts.records()}))
        return
    click.echo(f"{format_table(tabulate_trivial(runs), TRIVIAL)}\n\n{format_table(add_margin(students), STUDENTS)}")
    if verdicts.rows:
        click.echo(f"\n{format_table(verdicts, COMPARATORS)}")
    for line in list_warnings(runs):
        click.echo(f"Warning: {line}")
    page = report / "index.html"
    click.echo(f"Report: {page.resolve()}" if page.is_file() else "Report: not made yet; run `dvc repro report`")


def add_margin(students: Table) -> Table:
    """The table with a column `margin`, from the mean accuracy to the farther end of its interval."""
    records = students.records()
    for record in records:
        ends = record["accuracy_low"], record["accuracy_high"]
        record["margin"] = None if None in ends else max(abs(end - record["accuracy"]) for end in ends)
    columns = (*students.columns, Column("margin", "Seeds, 95 %", "fraction"))
    return Table.build(students.name, students.title, columns, records)


def format_table(table: Table, titles: dict[str, str]) -> str:
    """The columns of `titles` as plain text, rounded as on the page; the user's names are wrapped where it is wide."""
    columns = [column for key in titles for column in table.columns if column.key == key]
    rows = [
        [column.show(record[column.key]).removesuffix(" shown") for column in columns] for record in table.records()
    ]
    align = ["right" if column.is_number else "left" for column in columns]
    names = [place for place, column in enumerate(columns) if not column.is_number and column.key not in OURS]
    widths: list[int | None] = [None] * len(columns)
    for place in names:
        widths[place] = max(len(row[place]) for row in rows)
    while True:
        text = tabulate(rows, list(titles.values()), disable_numparse=True, colalign=align, maxcolwidths=widths)
        width, widest = max((widths[place] or 0, place) for place in names)
        if max(map(len, text.splitlines())) <= WIDTH or width <= NARROWEST:
            return text
        widths[widest] = width - 1
