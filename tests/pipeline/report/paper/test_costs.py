"""Times, memory and tests, by hand."""

import re

import pytest

from pipeline.report.paper.costs import tabulate_costs, tabulate_related, tabulate_tests, tabulate_times
from pipeline.report.paper.paper_figures import draw_related, draw_times

RIVALS = ("tinybert", "minillm", "distilbert", "pkd", "textrcnn", "hitin", "lsfls", "bertqtc")


def find(table, **wanted):
    rows = table.only(**wanted).records()
    assert len(rows) == 1
    return rows[0]


def test_distillation_time_follows_from_the_papers_ratio(make_summary):
    """Table 4, overall: 0.8012 / 1.53e-3 = 523.66 s; ours is the mean of two teachers."""
    summaries = [make_summary(teacher=name) for name in ("a", "b")]
    summaries[1]["student"]["seconds_per_epoch"] = 0.81
    row = find(tabulate_times(summaries), method="QD-LLM", time="distillation")
    assert row["paper"] == pytest.approx(523.66, abs=0.01)
    assert row["ours"] == pytest.approx((0.61 + 0.81) / 2)


def test_inference_is_for_a_thousand_texts(make_summary):
    """The student: 0.02 s for 800. The teacher: a capture of 12 s for 4,000."""
    times = tabulate_times([make_summary()])
    assert find(times, method="QD-LLM", time="inference")["ours"] == pytest.approx(0.025)
    assert find(times, method="teacher")["ours"] == pytest.approx(3.0)
    assert find(times, method="PKD", time="distillation")["ours"] is None


def test_costs_count_the_frozen_encoder_and_the_teachers_share(make_summary):
    """A capture of 12 s over 6 epochs adds 2 s to each."""
    costs = tabulate_costs([make_summary(rivals=("pkd",))])
    student = find(costs, method="QD-LLM")
    assert student["inference_parameters"] == 8_811 + 768 * 9_000
    assert student["seconds_with_teacher"] == pytest.approx(0.61 + 2)
    assert student["peak_memory_mib"] == 860
    assert (find(costs, method="PKD")["size"], find(costs, method="PKD")["initialised_from"]) == ("small", "scratch")
    assert find(costs, method="teacher")["peak_memory_mib"] == 1500


def test_a_checkpoint_is_named_with_its_checksum(make_summary):
    summary = make_summary(rivals=("pkd",))
    summary["baselines"]["pkd"]["initialised_from"] = {"path": "bert", "sha256": "0123456789abcdef"}
    assert find(tabulate_costs([summary]), method="PKD")["initialised_from"] == "bert (0123456789ab)"


def test_verdicts_follow_from_the_adjusted_p_value(make_summary):
    """0.02 x 2 is below 5 %, 0.03 is too; 0.02 and 0.6 are not both."""
    summary = make_summary(rivals=("pkd", "tinybert"))
    summary["mcnemar"]["pkd"] |= {"p_value": 0.02, "student_alone": 50, "rival_alone": 20}
    summary["mcnemar"]["tinybert"] |= {"p_value": 0.03}
    assert [row["verdict"] for row in tabulate_tests([summary]).records()] == ["rival better", "QD-LLM better"]
    summary["mcnemar"]["pkd"]["p_value"] = 0.026
    assert [row["verdict"] for row in tabulate_tests([summary]).records()] == ["no difference found"] * 2


def test_figures_show_every_method_that_either_side_has(make_summary):
    times = tabulate_times([make_summary(rivals=RIVALS)])
    figure = draw_times("f", "F", times.only(time="distillation"))
    for method in ("TinyBERT", "MiniLLM", "DistilBERT", "PKD", "QD-LLM"):
        assert f">{method}<" in figure.svg
    assert "mathdefault" not in figure.svg
    assert ">Seconds of an epoch<" in figure.svg
    near = draw_times("h", "H", times.only(time="inference", method="teacher"))
    assert {">2<", ">5<"} <= {f">{text}<" for text in re.findall(r">([0-9.]+)<", near.svg)}
    alone = draw_times("g", "G", tabulate_times([make_summary()]).only(time="distillation"))
    assert "Not run here: TinyBERT, MiniLLM, DistilBERT, PKD." in alone.description


def test_figure_4_has_related_models_and_the_student(make_summary):
    table = tabulate_related([make_summary(rivals=RIVALS)])
    assert [row["method"] for row in table.only(measure="F1").records()] == [
        *("TextRCNN", "HiTIN", "LSFLS", "BERT-QTC", "QD-LLM")
    ]
    assert find(table, measure="Acc", method="QD-LLM")["paper"] == 0.8012
    assert find(table, measure="Acc", method="HiTIN")["paper"] is None
    assert ">HiTIN, F1<" in draw_related("f", "F", table).svg
