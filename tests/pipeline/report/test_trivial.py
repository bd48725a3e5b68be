"""The trivial score by hand, and who has no more than that."""

from dataclasses import replace

import pytest

from pipeline.evaluation.summary import Sides
from pipeline.report.trivial import list_warnings, tabulate_trivial
from tests.pipeline.report.conftest import make_run


def run_of(student, teacher, **comparators):
    run = make_run()
    summary = replace(run.summary, confusion=Sides(teacher=teacher, student=student))
    return replace(run, summary=summary, constant_comparators=comparators)


def test_the_most_frequent_class_alone():
    """95 of 100: accuracy 0.95; of that class P = 0.95, R = 1, so F1 = 1.9 / 1.95, and 0 of the other."""
    run = run_of([[95, 0], [5, 0]], [[90, 5], [1, 4]])
    (row,) = tabulate_trivial([run]).records()
    assert (row["texts"], row["trivial_label"], row["trivial_accuracy"]) == (100, "negative", 0.95)
    assert (row["labelled"], row["pool"]) == (300, 2000)
    assert row["trivial_f1"] == pytest.approx(1.9 / 1.95 / 2)


def test_models_that_say_one_class_are_named():
    run = run_of([[95, 0], [5, 0]], [[0, 95], [0, 5]], linear="negative", mlp="negative")
    assert list_warnings([run]) == [
        "emotion, bloom-local: student, linear and mlp say negative of every test text; "
        "their accuracy is that class's share",
        "emotion, bloom-local: teacher says positive of every test text; its accuracy is that class's share",
    ]
    assert list_warnings([run_of([[90, 5], [1, 4]], [[90, 5], [1, 4]])]) == []
