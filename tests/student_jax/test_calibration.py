"""Probabilities at a temperature, thresholds by wanted accuracy, and what a forged calibration may not be."""

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.special import softmax

from student_jax.calibration import Calibration, find_threshold, rank_answers, require_confidence, soften
from teacher_cache.errors import UserError

SCORES = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)


def build(confidences, right):
    """The calibration of texts of one step each."""
    names = ("confidences", "texts", "right")
    ranked = rank_answers(np.array(confidences), np.array(right, bool))
    return Calibration(temperature=1.5, **dict(zip(names, ranked, strict=True)))


def test_temperature_one_is_softmax_to_the_bit_and_none_changes_a_label():
    np.testing.assert_array_equal(soften(SCORES, 1.0), softmax(SCORES, axis=1))
    for temperature in (0.01, 0.5, 3.0, 100.0):
        found = soften(SCORES, temperature)
        np.testing.assert_allclose(found, softmax(SCORES.astype(float) / temperature, axis=1), atol=1e-6)
        np.testing.assert_array_equal(found.argmax(axis=1), SCORES.argmax(axis=1))
    assert np.isfinite(soften(np.array([[1e4, -1e4]]), 0.01)).all()


def test_answers_are_ranked_with_equals_together():
    found = rank_answers(np.array([0.5, 0.9, 0.5, 0.7]), np.array([True, True, False, False]))
    assert found == ([0.9, 0.7, 0.5], [1, 1, 2], [1, 0, 1])


def test_many_answers_become_steps_that_miss_none():
    random = np.random.default_rng(1)
    confidence, right = random.uniform(size=1003), random.uniform(size=1003) < 0.7
    least, texts, hits = rank_answers(confidence, right, steps=10)
    assert len(least) == 10
    assert set(texts) == {100, 101}
    for place, bound in enumerate(least):
        above = confidence >= bound
        assert (sum(texts[: place + 1]), sum(hits[: place + 1])) == (above.sum(), right[above].sum())


def test_the_threshold_that_answers_most_is_found():
    """Of 60 texts the surest 40 are right, then one is wrong and one right by turns: 0.9 holds up to 45 of 50."""
    confidence = np.linspace(0.99, 0.4, 60)
    found = find_threshold(build(confidence, [*[1] * 40, *[0, 1] * 10]), 0.9)
    assert (found.answered, found.right, found.texts) == (50, 45, 60)
    assert found.confidence == confidence[49]
    assert find_threshold(build(confidence, [1] * 60), 1.0).answered == 60


def test_an_accuracy_that_validation_does_not_reach_is_refused_and_the_advice_works():
    """Nineteen right ones on top are too few to promise anything."""
    calibration = build(np.linspace(0.99, 0.4, 60), [*[1] * 19, 0, *[0, 1] * 20])
    with pytest.raises(UserError, match=r"reach together, at most 0\.95, got 0\.99; want less, or name a confidence"):
        find_threshold(calibration, 0.99)
    assert find_threshold(calibration, 0.95).answered == 20


@pytest.mark.parametrize("accuracy", [0.0, -1.0, 1.1, float("nan")])
def test_an_accuracy_that_is_none_is_refused(accuracy):
    with pytest.raises(UserError, match="accuracy must be above 0 and at most 1, got"):
        find_threshold(None, accuracy)


def test_without_a_calibration_no_accuracy_can_be_wanted():
    with pytest.raises(UserError, match="50 validation labels at least"):
        find_threshold(None, 0.9)


@pytest.mark.parametrize("confidence", [-0.1, 1.1, float("nan"), float("inf")])
def test_a_confidence_that_is_none_is_refused(confidence):
    with pytest.raises(UserError, match="confidence must be from 0 to 1, got"):
        require_confidence(confidence)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        *(({"temperature": value}, "temperature") for value in (0.0, -1.0, float("inf"), float("nan"), 1e300, "2")),
        ({"confidences": [0.5, 0.6]}, "confidences must fall"),
        ({"confidences": [0.5]}, "of one length"),
        ({"confidences": [1.5, 0.5]}, "confidences"),
        ({"right": [41, 1]}, "right must be at most texts"),
        ({"texts": [10**300, 20]}, "texts"),
        ({"texts": [30, 19], "right": [0, 0]}, "texts must be 50 at least"),
        ({"confidences": [0.5] * 201, "texts": [1] * 201, "right": [0] * 201}, "at most 200 items"),
    ],
)
def test_a_calibration_that_cannot_be_is_refused(change, message):
    whole = {"temperature": 2.0, "confidences": [0.9, 0.5], "texts": [40, 20], "right": [40, 5]}
    assert Calibration(**whole).right == [40, 5]
    with pytest.raises(ValidationError, match=message):
        Calibration(**{**whole, **change})
