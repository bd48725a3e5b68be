"""The paper's tables with ours beside them."""

from dataclasses import replace

import pytest

from pipeline.evaluation.metrics import estimate_mean
from pipeline.report.paper.beside import build_paper


def build(*runs):
    return {table.name: table for table in build_paper(runs)}


def set_accuracies(run, accuracies):
    """The run with those test accuracies of the student's seeds."""
    seeds = [
        replace(seed, test=replace(seed.test, accuracy=accuracy))
        for seed, accuracy in zip(run.summary.seeds, accuracies, strict=True)
    ]
    return replace(run, summary=replace(run.summary, seeds=seeds))


def test_a_row_has_the_papers_number_ours_its_interval_and_the_difference(make_run):
    """0.82 with t(4) 2.776 x 0.0158 / sqrt 5 = 0.0196 about it; the paper has 0.8012 over its five teachers."""
    run = set_accuracies(make_run(), (0.80, 0.81, 0.82, 0.83, 0.84))
    row = build(run)["tables_4_to_6"].only(task="emotion", teacher="overall", method="QD-LLM").records()[0]
    assert row["accuracy_paper"] == 0.8012
    assert row["accuracy_ours"] == pytest.approx(0.82)
    assert (row["accuracy_low"], row["accuracy_high"]) == pytest.approx((0.8004, 0.8396), abs=1e-4)
    assert row["accuracy_difference"] == pytest.approx(0.0188)


def test_overall_averages_each_seed_over_the_teachers_first(make_run):
    """Two teachers whose seeds go opposite ways: the mean of each seed is the same, so the interval is a point."""
    runs = [
        set_accuracies(make_run(teacher=name, seeds=2), values)
        for name, values in (("one", (0.7, 0.9)), ("two", (0.9, 0.7)))
    ]
    row = build(*runs)["tables_4_to_6"].only(teacher="overall", method="QD-LLM", task="emotion").records()[0]
    assert (row["accuracy_low"], row["accuracy_high"]) == pytest.approx((0.8, 0.8))
    assert estimate_mean([0.8, 0.8]).mean == 0.8


def test_a_teacher_of_the_hub_stands_beside_the_papers_and_a_local_one_alone(make_run):
    hub = make_run(teacher="bloomz", model="bigscience/bloomz-3b")
    local = make_run(teacher="bloom")
    table = build(hub, local)["tables_4_to_6"]

    def find(teacher):
        return table.only(task="emotion", teacher=teacher, method="QD-LLM").records()[0]

    assert find("bloomz")["accuracy_paper"] == 0.7923
    assert find("bloom")["accuracy_paper"] is None
    assert find("OPT-6.7B")["accuracy_ours"] is None
    assert find("OPT-6.7B")["accuracy_paper"] == 0.8157
    assert not table.only(task="emotion", teacher="BLOOMZ-3B", method="QD-LLM").rows


def test_every_number_of_the_paper_is_there_once(make_run):
    for name, count in (("table_1", 3), ("table_3", 10), ("tables_4_to_6", 90), ("table_7", 4), ("table_8", 20)):
        table = build(make_run("own-task", comparators=()))[name]
        papers = [row for row in table.records() if any(row[key] is not None for key in row if key.endswith("_paper"))]
        assert len(papers) == count


def test_losses_and_no_teacher_are_the_comparators_of_one_term(make_run):
    tables = build(make_run(comparators=("labels_alone", "kl", "js")))
    rows = tables["table_7"].only(task="overall").records()
    assert [row["loss"] for row in rows] == ["CE", "KL", "JS", "KL+JS+CE"]
    assert [row["accuracy_paper"] for row in rows] == [0.7388, 0.8195, 0.8156, 0.8242]
    assert tables["table_8"].only(task="overall", teacher="no teacher (CE)").rows


def test_deviations_say_what_ran_and_a_dash_for_what_is_not_known(make_run):
    rows = {row["subject"]: row["ours"] for row in build(make_run())["deviations"].records()}
    assert rows["Circuit"] == "11 qubits, 4 layers, ansatz layers, chain, triple rotations"
    assert rows["Hardware"] == "Linux, x86_64, 2 cores"
    bare = {row["subject"]: row["ours"] for row in build(make_run(telemetry=False))["deviations"].records()}
    assert bare["Hardware"] == "{0}, {0}, {0} cores".format("\N{EN DASH}")
