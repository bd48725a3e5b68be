"""Tables: nothing is lost on the way into CSV and LaTeX."""

import csv
import io
from dataclasses import asdict

from pipeline.report.columns import Column, Table, write_tables
from pipeline.report.page import build_tables


def test_csv_gives_back_every_value_exactly(make_run):
    """A second parser reads the same numbers that went in, to the last bit."""
    run = make_run()
    read = list(csv.DictReader(io.StringIO(build_tables([run], "default")["metrics"].to_csv())))
    row = next(row for row in read if row["split"] == "test" and row["model"] == "student")
    scores = asdict(run.summary.metrics.test)
    assert {name: float(row[name]) for name in scores} == scores


def test_csv_and_latex_quote_what_a_label_may_hold():
    table = Table.build(
        "t", "T", (Column("label", "Label"), Column("n", "N", "count")), [{"label": 'a_&,"b"', "n": 1234}, {}]
    )
    assert list(csv.reader(io.StringIO(table.to_csv()))) == [["label", "n"], ['a_&,"b"', "1234"], ["", ""]]
    latex = table.to_latex()
    assert latex.startswith(r"\begin{longtable}{lr}")
    assert r"a\_\&,\"b\"".replace(r"\"", '"') in latex
    assert "1,234" in latex


def test_confusion_is_the_matrix_row_by_row(make_run):
    run = make_run(labels=("a", "b", "c"))
    rows = build_tables([run], "default")["confusion"].only(model="student").records()
    assert [row["count"] for row in rows] == [count for row in run.summary.confusion.student for count in row]
    assert [(row["true"], row["predicted"]) for row in rows[:4]] == [("a", "a"), ("a", "b"), ("a", "c"), ("b", "a")]


def test_one_row_for_each_seed_epoch_and_split(make_run):
    tables = build_tables([make_run(seeds=3, epochs=4), make_run("hiding", seeds=2, epochs=5)], "default")
    assert len(tables["curves"].rows) == 3 * 4 + 2 * 5
    assert len(tables["seeds"].rows) == (3 + 2) * 2
    assert len(tables["finetune"].only(task="hiding").rows) == 5


def test_a_stage_that_two_teachers_share_is_counted_once(make_run):
    """Both runs carry the record of prepare, which ran once for the task."""
    stages = build_tables([make_run(teacher="one"), make_run(teacher="two")], "default")["stages"]
    assert [row["stage"] for row in stages.records()].count("prepare") == 1
    assert [row["stage"] for row in stages.records()].count("finetune") == 2


def test_costs_take_memory_and_the_captures_share_from_the_records(make_run):
    rows = build_tables([make_run(comparators=("linear", "mlp"), epochs=6)], "default")["costs"].records()
    student, linear, mlp = rows[1:]
    assert student["seconds_with_teacher"] == 0.61 + 12.0 / 6
    assert student["inference_seconds"] == 0.02 / 800 * 1000
    assert [row["peak_memory_mib"] for row in (student, linear, mlp)] == [820.0, 500.0, None]


def test_one_seed_has_no_interval(make_run):
    row = build_tables([make_run(seeds=1)], "default")["summary"].records()[0]
    assert row["accuracy_low"] is None
    assert row["accuracy_high"] is None


def test_tables_are_written_under_their_names(make_run, tmp_path):
    tables = build_tables([make_run()], "default")
    write_tables(tables.values(), tmp_path / "tables")
    found = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "tables").iterdir()}
    assert found == {f"{name}.csv": table.to_csv() for name, table in tables.items()} | {
        f"{name}.tex": table.to_latex() for name, table in tables.items()
    }
