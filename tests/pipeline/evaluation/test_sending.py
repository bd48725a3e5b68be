"""Coverage curves and cascades against what a hand counts and brute force finds."""

import numpy as np
import pytest

from pipeline.evaluation.metrics import bootstrap_accuracy
from pipeline.evaluation.scoring import Predictions
from pipeline.evaluation.sending import Said, judge, measure_cascade, measure_coverage_area, tabulate_coverage


def say(confidence, right, teacher):
    return Said(np.array(confidence, np.float32), np.array(right, bool), np.array(teacher, bool))


# Surest first: right, right, wrong, right; its teacher has the third alone wrong.
FOUR = say([0.9, 0.8, 0.7, 0.6], [1, 1, 0, 1], [1, 1, 0, 1])


def draw(rows, seed):
    """A student that is right as often as it is sure; a teacher that is right of nine texts in ten."""
    random = np.random.default_rng(seed)
    confidence = random.uniform(0.5, 1, rows)
    return say(confidence, random.uniform(size=rows) < confidence, random.uniform(size=rows) < 0.9)


def test_answers_are_judged_by_their_likeliest_class():
    student = np.array([[[0.3, 0.7], [0.6, 0.4]]])
    found = judge(Predictions(student, np.array([[0.9, 0.1], [0.8, 0.2]]), np.array([1, 1])))
    np.testing.assert_array_equal(found.confidence, [0.7, 0.6])
    assert (found.right.tolist(), found.teacher.tolist()) == ([True, False], [False, False])


def test_coverage_by_hand():
    """Errors of the first one to four: 0, 0, 1/3, 1/4."""
    steps = tabulate_coverage(FOUR)
    assert [step.coverage for step in steps] == [0.25, 0.5, 0.75, 1.0]
    assert [step.accuracy for step in steps] == pytest.approx([1, 1, 2 / 3, 3 / 4])
    assert [step.confidence for step in steps] == pytest.approx([0.9, 0.8, 0.7, 0.6])
    assert measure_coverage_area(FOUR) == pytest.approx((1 / 3 + 1 / 4) / 4)


def test_the_order_of_equals_is_nobodys():
    """By hand: of four equally sure texts, three of them right, any share of them is right of three quarters."""
    for right in ([1, 1, 1, 0], [0, 1, 1, 1]):
        found = say([0.5] * 4, right, [1] * 4)
        assert [step.accuracy for step in tabulate_coverage(found)] == pytest.approx([0.75] * 4)
        assert measure_coverage_area(found) == pytest.approx(0.25)


def test_what_is_sent_is_least_sure_and_the_ends_are_student_and_teacher():
    validation, test = draw(300, 0), draw(200, 1)
    found = measure_cascade(validation, test)
    assert (found.validation_texts, found.test_texts) == (300, 200)
    first, last = found.curve[0], found.curve[-1]
    assert (first.sent, first.accuracy, first.random) == (0, found.student, found.student)
    assert (last.threshold, last.sent, last.accuracy) == (None, 1, found.teacher)
    assert last.random == pytest.approx(found.teacher)
    for step in found.curve[1:-1]:
        assert step.planned == (validation.confidence < step.threshold).mean()
        sent = test.confidence < step.threshold
        assert step.sent == sent.mean()
        assert step.accuracy == np.where(sent, test.teacher, test.right).mean()
        assert step.accuracy_low <= step.accuracy <= step.accuracy_high
    assert [step.sent for step in found.curve] == sorted(step.sent for step in found.curve)


@pytest.mark.parametrize("seed", range(5))
def test_the_least_part_with_the_teachers_accuracy_is_found(seed):
    """By trying every threshold on validation."""
    validation, test = draw(80, seed), draw(60, seed + 100)
    matching = measure_cascade(validation, test).matching
    parts = []
    for threshold in (0.0, *validation.confidence, 2.0):
        sent = validation.confidence < threshold
        if np.where(sent, validation.teacher, validation.right).sum() >= validation.teacher.sum():
            parts.append(sent.mean())
    assert matching.planned == pytest.approx(min(parts))


def test_a_student_that_is_as_good_sends_nothing():
    found = measure_cascade(FOUR, draw(50, 2))
    assert (found.matching.sent, found.matching.threshold, found.matching.planned) == (0, 0, 0)
    assert found.difference == pytest.approx(found.student - found.teacher)


def test_equals_are_never_parted():
    """Sending the one text with which the teacher helps takes its equals along."""
    validation = say([0.9, 0.5, 0.5, 0.5], [1, 0, 1, 1], [1, 1, 1, 1])
    assert measure_cascade(validation, FOUR).matching.planned == 0.75


def test_the_interval_is_the_binomials():
    """100 draws at one half: about 1.96 standard deviations of 0.05 to both sides; certainty has no width."""
    found = bootstrap_accuracy(50, 100)
    assert found.mean == 0.5
    assert (found.low, found.high) == pytest.approx((0.402, 0.598), abs=0.011)
    assert bootstrap_accuracy(7, 7) == (1, 1, 1)
