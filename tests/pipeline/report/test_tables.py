import csv
import io
import shutil

import pytest

from pipeline.report.columns import Column, Table
from pipeline.report.summary_checks import check_summaries
from pipeline.report.tables import build_tables, format_rivals, format_students, write_tables
from teacher_cache.errors import UserError


def test_csv_gives_back_every_value_exactly(make_summary):
    """A second parser reads the same numbers that went in, to the last bit."""
    summary = make_summary()
    read = list(csv.DictReader(io.StringIO(build_tables([summary])["metrics"].to_csv())))
    row = next(row for row in read if row["split"] == "test" and row["model"] == "student")
    scores = summary["metrics"]["test"]["student"]
    assert {name: float(row[name]) for name in scores} == scores


def test_csv_quotes_what_a_label_may_hold():
    table = Table.build("t", "T", (Column("label", "Label"),), [{"label": 'a,"b"\n'}, {}])
    assert list(csv.reader(io.StringIO(table.to_csv()))) == [["label"], ['a,"b"\n'], [""]]


def test_confusion_is_the_matrix_row_by_row(make_summary):
    summary = make_summary(labels=("a", "b", "c"))
    rows = build_tables([summary])["confusion"].only(model="student").records()
    assert [row["count"] for row in rows] == [count for row in summary["confusion"]["student"] for count in row]
    assert [(row["true"], row["predicted"]) for row in rows[:4]] == [("a", "a"), ("a", "b"), ("a", "c"), ("b", "a")]


def test_one_row_for_each_seed_epoch_and_split(make_summary):
    tables = build_tables([make_summary(seeds=3, epochs=4), make_summary("hiding", seeds=2, epochs=5)])
    assert len(tables["curves"].rows) == 3 * 4 + 2 * 5
    assert len(tables["seeds"].rows) == (3 + 2) * 2
    assert len(tables["finetune"].only(task="hiding").rows) == 5


def test_a_stage_that_two_teachers_share_is_counted_once(make_summary):
    """Both summaries carry the record of prepare, which ran once for the task."""
    stages = build_tables([make_summary(teacher="one"), make_summary(teacher="two")])["stages"]
    assert [row["stage"] for row in stages.records()].count("prepare") == 1
    assert [row["stage"] for row in stages.records()].count("finetune") == 2


def test_one_seed_has_no_interval(make_summary):
    row = build_tables([make_summary(seeds=1)])["summary"].records()[0]
    assert row["accuracy_low"] is None
    assert row["accuracy_high"] is None


def test_without_controls_there_are_no_rows(make_summary):
    tables = build_tables([make_summary(controls=False)])
    assert tables["controls"].rows == ()
    assert tables["verdicts"].rows == ()


def test_tables_are_written_under_their_names(make_summary, tmp_path):
    tables = build_tables([make_summary()])
    write_tables(tables.values(), tmp_path / "tables")
    assert {path.stem: path.read_text(encoding="utf-8") for path in (tmp_path / "tables").iterdir()} == {
        name: table.to_csv() for name, table in tables.items()
    }


@pytest.mark.parametrize("width", [80, 40])
def test_text_fits_its_terminal_and_says_the_numbers(make_summary, width):
    summaries = [make_summary("thematic", "bloomz-1b1"), make_summary(seeds=1)]
    text = format_students(summaries, width)
    assert max(map(len, text.splitlines())) <= width
    assert text.isascii()
    for summary in summaries:
        assert f"{summary['metrics']['test']['student']['kl']:.4f}" in text
        assert f"{summary['metrics']['test']['teacher']['accuracy']:.4f}" in text
    assert "one seed" in text


def test_text_takes_the_terminals_own_width(make_summary, monkeypatch):
    summaries = [make_summary()]
    monkeypatch.setenv("COLUMNS", "40")
    assert shutil.get_terminal_size().columns == 40
    assert format_students(summaries) == format_students(summaries, 40) != format_students(summaries, 80)


@pytest.mark.parametrize("width", [120, 40])
def test_rivals_have_a_row_each_that_fits_the_terminal(make_summary, width):
    summaries = [
        make_summary("thematic", "bloomz-1b1", rivals=("pkd", "hitin")),
        make_summary(seeds=1, rivals=("pkd",)),
    ]
    text = format_rivals(summaries, width)
    assert max(map(len, text.splitlines())) <= width
    assert text.isascii()
    assert (text.count("PKD"), text.count("HiTIN"), text.count("one seed")) == (2, 1, 1)
    # By Holm, the least of three p-values is three times 0.0025, and 0.005 twice.
    assert (text.count("worse, p 0.0075"), text.count("worse, p 0.01")) == (1, 2)


def test_without_rivals_there_is_no_second_table(make_summary):
    assert format_rivals([make_summary()]) == ""


def test_not_a_number_is_refused(make_summary):
    summary = make_summary()
    summary["metrics"]["test"]["student"]["kl"] = float("nan")
    with pytest.raises(
        UserError, match=r"emotion with bloom-local: metrics\.test\.student\.kl must be finite, got nan"
    ):
        check_summaries([summary])


def test_nothing_and_the_same_twice_are_refused(make_summary):
    with pytest.raises(UserError, match="at least one evaluated student, got none"):
        check_summaries([])
    with pytest.raises(UserError, match="one summary, got 2 of emotion with bloom-local"):
        check_summaries([make_summary(), make_summary()])
