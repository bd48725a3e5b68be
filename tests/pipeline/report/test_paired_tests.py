"""Verdicts: one test and one adjustment for all comparators, words that claim no more."""

from dataclasses import replace

from pipeline.evaluation.metrics import Discordance
from pipeline.report.paired_tests import (
    name_comparator,
    sum_up,
    tabulate_comparators,
    tabulate_counts,
    tabulate_tuning,
    tabulate_verdicts,
)


def test_holm_counts_all_tests_of_all_runs(make_run):
    """The least of three p-values is multiplied by three, the next by two, and none falls below a smaller one."""
    first = replace(
        make_run(comparators=("linear", "mlp")),
        tests={"linear": Discordance(60, 20, 0.01), "mlp": Discordance(20, 60, 0.02)},
    )
    second = replace(make_run("hiding", comparators=("pkd",)), tests={"pkd": Discordance(9, 9, 0.9)})
    verdicts = tabulate_verdicts([first, second])
    assert [row["p_adjusted"] for row in verdicts.records()] == [0.03, 0.04, 0.9]
    assert [row["verdict"] for row in verdicts.records()] == ["better", "worse", "no difference shown"]
    assert sum_up(verdicts.only(task="emotion")) == (
        "By its chosen seed the student is better than the linear model; is worse than the MLP."
    )
    assert sum_up(verdicts.only(task="hiding")) == "By its chosen seed the student shows no difference from the PKD."
    assert [tuple(row.values()) for row in tabulate_counts(verdicts).records()] == [
        ("linear", 1, 0, 0),
        ("mlp", 0, 0, 1),
        ("pkd", 0, 1, 0),
    ]


def test_many_tests_take_a_verdict_away(make_run):
    run = make_run(comparators=("linear", "mlp"))
    tests = {"linear": Discordance(60, 40, 0.03), "mlp": Discordance(50, 50, 1.0)}
    alone = replace(run, comparisons={"linear": run.comparisons["linear"]}, tests={"linear": tests["linear"]})
    assert [row["verdict"] for row in tabulate_verdicts([alone]).records()] == ["better"]
    both = tabulate_verdicts([replace(run, tests=tests)]).records()
    assert [row["verdict"] for row in both] == ["no difference shown"] * 2


def test_the_verdict_is_of_the_chosen_seeds_accuracy(make_run):
    run = make_run(comparators=("linear",))
    (row,) = tabulate_verdicts([run]).records()
    assert row["student_accuracy"] == run.summary.seeds[0].test.accuracy
    assert row["accuracy"] == run.comparisons["linear"].seeds[0].test.accuracy


def test_tuning_is_said(make_run):
    once, tuned = make_run(comparators=("linear",)), make_run(comparators=("linear",), settings=3)
    uneven = replace(tuned, comparisons=once.comparisons)
    said = [tabulate_verdicts([run]).records()[0]["settings"] for run in (once, tuned, uneven)]
    assert said == ["not tuned", "3 : 3", "3 : 1"]
    rows = tabulate_tuning([uneven]).records()
    assert [row["setting"] for row in rows if row["comparator"] == "linear"] == ["not tuned"]
    chosen = [row["chosen"] for row in rows if row["comparator"] == "student"]
    assert chosen == ["chosen (end of learning_rate)", None, None]


def test_what_reads_texts_says_how_many_it_cut_and_what_reads_features_what_they_saw(make_run):
    rows = tabulate_comparators([make_run(comparators=("linear", "pkd"))]).records()
    assert [(row["comparator"], row["reads"], row["cut_texts"], row["saw_labels"]) for row in rows] == [
        ("student", "features", None, "yes"),
        ("linear", "features", None, "yes"),
        ("pkd", "texts", 3, None),
    ]


def test_without_comparators_there_is_nothing(make_run):
    run = make_run(comparators=())
    assert tabulate_verdicts([run]).rows == tabulate_comparators([run]).rows == ()
    assert sum_up(tabulate_verdicts([run])) is None


def test_a_comparator_without_a_title_goes_by_its_name():
    assert name_comparator("mine") == "mine"
