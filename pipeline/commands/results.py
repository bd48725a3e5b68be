"""`qdllm results`: the table of all that was evaluated and compared, and where the report is.

In: evaluations/, comparisons/.  Out: results (a click command).  Imports: tabulate; no torch, no jax.
"""

import json
from dataclasses import asdict
from pathlib import Path
from textwrap import fill
from typing import Any

import click
from tabulate import tabulate

from pipeline.evaluation.summary import Scores
from pipeline.params import read_active, read_comparators
from pipeline.report.columns import Column, Table
from pipeline.report.paired_tests import drop_interval, tabulate_verdicts
from pipeline.report.runs import Places, Run, read_runs
from pipeline.report.student_tables import tabulate_summary
from pipeline.report.trivial import list_warnings, tabulate_trivial
from pipeline.report.worth import ALL_LABELS, LABELS_ALONE, measure_worth, sum_up_worth, tabulate_worth

_PATH = click.Path(path_type=Path)
# Of what `--json` prints; raised when a field gets another name or meaning.
FORMAT = 1
# Short enough for a terminal of 80 columns.
WORTH = {
    "task": "task",
    "teacher": "teacher",
    "labels_alone": "alone",
    "student": "S",
    "teacher_accuracy": "T",
    "all_labels": "all",
    "gain": "gain",
    "margin": "+/-",
    "p_adjusted": "p",
}
STUDENTS = {
    "task": "task",
    "teacher": "teacher",
    "accuracy": "S mean",
    "margin": "+/-",
    "f1": "S F1",
    "agreement": "agree",
    "trainable_parameters": "params",
}
TRIVIAL = {
    "task": "task",
    "labelled": "labels",
    "pool": "pool",
    "texts": "test",
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
@click.option("--json", "as_json", is_flag=True, help="Print JSON: every student with what its teacher was worth.")
def results(evaluations: Path, comparisons: Path, report: Path, as_json: bool) -> None:
    """Print teachers, students and comparators side by side, and the path of the report.

    First what the teacher was worth: the student's accuracy after learning from the labels alone and with its teacher
    (S), the teacher's (T), and that of a student of all labels, where they are known; the gain is S less alone, +/-
    its 95 % interval over the choice of test texts (paired bootstrap), p McNemar's, adjusted for all rows. Then each
    task's texts, with a label, without, and to test on, and the trivial score: what saying the most frequent class of
    every test text has. Then means over the seeds, with the 95 % interval of the mean, which covers the seeds and not
    the choice of texts; F1 is the mean over the classes. The last table's accuracies are again of the chosen seeds; no
    difference: none is shown.
    """
    runs = read_runs(Places(evaluations, comparisons), *read_active(), read_comparators())
    worth, verdicts = tabulate_worth(runs), tabulate_verdicts(runs)
    if as_json:
        described = {"students": [describe_student(run) for run in runs], "comparators": verdicts.records()}
        click.echo(json.dumps({"format": FORMAT, **described}))
        return
    students = add_margin(tabulate_summary(runs), "accuracy", "accuracy_low", "accuracy_high")
    tables = (
        (add_margin(worth, "gain", "gain_low", "gain_high"), WORTH),
        (tabulate_trivial(runs), TRIVIAL),
        (students, STUDENTS),
        (verdicts, COMPARATORS),
    )
    click.echo("\n\n".join(format_table(table, titles) for table, titles in tables if table.rows))
    click.echo(fill(sum_up_worth(worth), WIDTH))
    for line in list_warnings(runs):
        click.echo(f"Warning: {line}")
    page = report / "index.html"
    click.echo(f"Report: {page.resolve()}" if page.is_file() else "Report: not made yet; run `dvc repro report`")


def describe_student(run: Run) -> dict[str, Any]:
    """One object of --json: the chosen seeds' scores on the test split and the gain, then means over the seeds."""
    worth, summary = measure_worth(run), run.summary
    models = {"student": summary, **{name: run.comparisons.get(name) for name in (LABELS_ALONE, ALL_LABELS)}}
    return {
        "task": run.task,
        "teacher": {"name": run.teacher, **_name_scores(worth.teacher)},
        **{name: one and _name_scores(one.chosen.test) for name, one in models.items()},
        "gain": worth.gain
        and {"value": worth.gain.mean, "low": worth.gain.low, "high": worth.gain.high, "p": worth.p_value},
        "texts": {**asdict(summary.trained_on), "test": run.texts},
        "trivial": summary.trivial,
        "seeds": {name: one and {"count": len(one.seeds), **drop_interval(one)} for name, one in models.items()},
        "trainable_parameters": summary.parameters.trainable,
        "settings_tried": len(summary.tuning.settings),
    }


def _name_scores(scores: Scores) -> dict[str, float]:
    return {"accuracy": scores.accuracy, "macro_f1": scores.f1}


def add_margin(table: Table, mean: str, low: str, high: str) -> Table:
    """The table with a column `margin`, from the column `mean` to the farther of its ends."""
    records = table.records()
    for record in records:
        ends = record[low], record[high]
        record["margin"] = None if None in ends else max(abs(end - record[mean]) for end in ends)
    return Table.build(table.name, table.title, (*table.columns, Column("margin", "95 %", "fraction")), records)


def format_table(table: Table, titles: dict[str, str]) -> str:
    """The columns of `titles` as plain text, rounded as on the page; the user's names are wrapped where it is wide."""
    columns = [column for key in titles for column in table.columns if column.key == key]
    rows = [[_show(column, record[column.key]) for column in columns] for record in table.records()]
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


def _show(column: Column, value: Any) -> str:
    return "-" if value is None else column.show(value).removesuffix(" shown")
