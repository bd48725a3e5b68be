"""A pair's numbers, by hand."""

import numpy as np
import pytest

from pipeline.evaluation.scoring import Predictions, average_control, compare, score_answers, tabulate_confusion

TEACHER = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]])
LABELS = np.array([0, 1, 1, 1])
RIGHT = np.array([[0.8, 0.2], [0.1, 0.9], [0.4, 0.6], [0.1, 0.9]])
SWAPPED = RIGHT[:, ::-1]


def predictions():
    return Predictions(np.stack([SWAPPED, RIGHT]), TEACHER, LABELS)


def test_compare_by_hand():
    found = compare({"validation": predictions(), "test": predictions()}, [7, 8], 1, 42)
    test = found["metrics"]["test"]
    assert test["teacher"]["accuracy"] == 0.75
    assert test["student"]["accuracy"] == 0.5  # one seed has all right, the other none
    assert test["student"]["agreement"] == pytest.approx((0.25 + 0.75) / 2)
    assert test["student"]["trainable_parameters"] == 42
    assert [seed["seed"] for seed in found["seeds"]] == [7, 8]
    assert [seed["test"]["accuracy"] for seed in found["seeds"]] == [0.0, 1.0]
    assert found["confusion"] == {"teacher": [[1, 0], [1, 2]], "student": [[1, 0], [0, 3]]}
    assert sum(row["count"] for row in found["reliability"]["student"]) == 4


def test_a_control_is_averaged_over_its_seeds():
    found = average_control(predictions(), 9)
    assert found["test"]["accuracy"] == 0.5
    assert found["accuracies"] == [0.0, 1.0]
    assert found["trainable_parameters"] == 9


def test_answers_are_scored_by_seed():
    found = score_answers({7: SWAPPED, 8: RIGHT}, predictions())
    assert [(one["seed"], one["test"]["accuracy"]) for one in found["seeds"]] == [(7, 0.0), (8, 1.0)]


def test_a_confusion_row_for_each_text():
    rows = tabulate_confusion([[1, 0], [1, 2]], ["bad", "good"])
    assert len(rows) == 4
    assert rows.count({"actual": "good", "predicted": "bad"}) == 1
    assert rows.count({"actual": "good", "predicted": "good"}) == 2
