"""The paper's tables with ours beside them, by hand."""

import csv
import io

import pytest

from pipeline.evaluation.metrics import Interval
from pipeline.report.columns import Column
from pipeline.report.paper.beside import Beside, Row
from pipeline.report.paper.models import average, list_models
from pipeline.report.paper.paper_tables import build_besides


def build(summaries):
    return {beside.name: beside for beside in build_besides(summaries)}


def find(beside, **wanted):
    """The one row with those names, its cells by measure."""
    rows = [row for row in beside.rows if all(row.names[key] == value for key, value in wanted.items())]
    assert len(rows) == 1
    return {measure.key: cell for measure, cell in beside.list_cells(rows[0])}


def give(summary, *accuracies):
    for seed, accuracy in zip(summary["seeds"], accuracies, strict=True):
        seed["test"] = dict.fromkeys(("accuracy", "precision", "recall", "f1"), accuracy)
    return summary


def test_interval_of_a_mean_over_teachers_is_that_of_the_seeds(make_summary):
    """Two teachers far apart whose seeds move alike: seed means 0.7, 0.71, 0.72, and t(2) = 4.3027 about 0.71."""
    low = give(make_summary(teacher="a", seeds=3), 0.6, 0.61, 0.62)
    high = give(make_summary(teacher="b", seeds=3), 0.8, 0.81, 0.82)
    cell = find(build([low, high])["table_4"], task="emotion", teacher="overall", method="QD-LLM")["accuracy"]
    margin = 4.3027 * 0.01 / 3**0.5
    assert cell.ours == pytest.approx((0.71, 0.71 - margin, 0.71 + margin), abs=1e-6)
    assert cell.paper == 0.8012
    assert cell.difference == pytest.approx(0.71 - 0.8012)


def test_accuracy_per_parameter_and_per_second_by_hand(make_summary):
    summary = give(make_summary(seeds=2), 0.8, 0.8)
    summary["student"] |= {"trainable_parameters": 8_000, "seconds_per_epoch": 4.0}
    row = find(build([summary])["table_4"], task="emotion", teacher="bloom-local", method="QD-LLM")
    assert row["accuracy_per_parameter"].mean == pytest.approx(1e-4)
    assert row["accuracy_per_second"].mean == pytest.approx(0.2)
    assert row["accuracy"].paper is None


def test_a_teacher_of_the_papers_has_the_papers_row_beside_it_and_the_others_wait(make_summary):
    summary = make_summary(teacher="mine", rivals=("tinybert",))
    summary["teacher_model"]["name"] = "facebook/opt-6.7b"
    table = build([summary])["table_4"]
    assert find(table, task="emotion", teacher="mine", method="QD-LLM")["f1"].paper == 0.8066
    assert find(table, task="emotion", teacher="mine", method="TinyBERT")["accuracy"].paper == 0.7943
    assert find(table, task="emotion", teacher="BLOOMZ-3B", method="PKD")["accuracy"] == (0.7701, None)
    assert "OPT-6.7B" not in {row.names["teacher"] for row in table.rows}


def test_a_rival_that_was_not_run_has_the_papers_numbers_alone(make_summary):
    cells = find(build([make_summary()])["table_4"], task="emotion", teacher="overall", method="MiniLLM")
    assert cells["accuracy"] == (0.8125, None)
    assert cells["accuracy"].difference is None


def test_a_task_of_ones_own_has_a_table_without_the_papers_numbers(make_summary):
    tables = build([make_summary("support")])
    assert {cell.paper for row in tables["own_1"].rows for _, cell in tables["own_1"].list_cells(row)} == {None}
    assert {row.names["task"] for row in tables["table_4"].rows} == {"emotion"}


def test_one_seed_is_a_number_without_interval(make_summary):
    cell = find(build([make_summary(seeds=1)])["table_4"], teacher="bloom-local", method="QD-LLM")["accuracy"]
    assert cell.interval is None
    assert cell.mean is not None


def test_data_and_sizes(make_summary):
    tables = build([make_summary("hiding-real")])
    texts = find(tables["table_1"], task="hiding-real")
    assert texts["texts"] == (10_000, 4000)
    assert texts["texts"].difference == -6000
    assert find(tables["table_1"], task="thematic")["classes"] == (4, None)
    sizes = find(tables["table_3"], model="QD-LLM")
    assert sizes["parameters"] == (9275, 8811)
    assert find(tables["table_3"], model="bloom-local")["lora_parameters"] == (None, 29_497_344)


def test_share_of_the_largest_method_that_was_trained(make_summary):
    summary = make_summary(rivals=("pkd",))
    summary["baselines"]["pkd"]["parameters"]["trainable"] = 88_110
    sizes = find(build([summary])["table_3"], model="QD-LLM")
    assert sizes["proportion"] == (pytest.approx(9275 / 52.2e6), pytest.approx(0.1))


def test_losses_over_all_students_then_by_task(make_summary):
    one = make_summary(seeds=2, losses=("ce", "js"))
    other = make_summary("hiding", seeds=2, losses=("ce", "js"))
    for summary, accuracy in ((one, 0.6), (other, 0.8)):
        for seed in summary["losses"]["ce"]["seeds"]:
            seed["test"]["accuracy"] = accuracy
    table = build([one, other])["table_7"]
    assert find(table, task="overall", loss="CE")["accuracy"].mean == pytest.approx(0.7)
    assert find(table, task="overall", loss="CE")["accuracy"].paper == 0.7388
    assert find(table, task="hiding", loss="CE")["accuracy"].mean == pytest.approx(0.8)
    assert find(table, task="overall", loss="KL")["accuracy"] == (0.8195, None)
    assert find(table, task="overall", loss="KL+JS+CE")["f1"].ours is not None


def test_a_student_of_another_loss_is_not_called_the_papers(make_summary):
    summary = make_summary()
    summary["student"]["config"]["loss"]["js"] = 0.0
    losses = [row.names["loss"] for row in build([summary])["table_7"].rows if row.names["task"] == "overall"]
    assert losses == ["CE", "KL", "JS", "KL+CE"]


def test_teachers_stand_beside_none(make_summary):
    summaries = [make_summary(teacher=name, losses=("ce",)) for name in ("a", "b")]
    rows = [row.names["teacher"] for row in build(summaries)["table_8"].rows if row.names["task"] == "emotion"]
    assert rows == ["a", "b", "no teacher (CE)", "BLOOMZ-1.1B", "BLOOMZ-3B", "OPT-6.7B", "LLaMA2-7B", "LLaMA3-8B"]
    assert find(build(summaries)["table_8"], task="overall", teacher="BLOOMZ-3B")["f1"].paper == 0.8211


def test_seeds_that_not_all_models_have_are_left_out(make_summary):
    models = [next(list_models(make_summary(seeds=seeds))) for seeds in (2, 5)]
    assert average(models, lambda model, _: len(model.seeds)).mean == 3.5
    assert average([], lambda model, _: 1.0) is None


BESIDE = Beside(
    "t",
    "T",
    "",
    (Column("model", "Model"),),
    (Column("f1", "F1", "fraction"),),
    (Row({"model": "m"}, {"f1": 0.5}, {"f1": Interval(0.25, 0.2, 0.3)}), Row({"model": "n"}, {}, {"f1": 0.75})),
)


def test_csv_has_each_side_in_full():
    read = list(csv.DictReader(io.StringIO(BESIDE.to_table().to_csv())))
    assert list(read[0].values()) == ["m", "0.5", "0.25", "0.2", "0.3", "-0.25"]
    assert list(read[1].values()) == ["n", "", "0.75", "", "", ""]


def test_lines_leave_out_what_a_row_does_not_have():
    assert list(BESIDE.to_lines()) == [
        ("m", "paper", "0.5000"),
        ("", "ours", "0.2500"),
        ("", "95 %", "0.2000 to 0.3000"),
        ("", "difference", "\N{MINUS SIGN}0.2500"),
        ("n", "ours", "0.7500"),
    ]
