"""The fitted temperature against what a hand derives, and the cases in which there is none to fit."""

import logging

import numpy as np
import pytest
from scipy.special import log_softmax

from student_jax.calibration import HOTTEST, soften
from student_jax.data.dataset import Split
from student_jax.training.best_epochs import Training
from student_jax.training.temperature import calibrate, fit_temperature


def say(gap, right, rows):
    """Scores of two classes whose difference is `gap`, of which `right` rows are right."""
    return np.tile(np.array([gap, 0.0], np.float32), (rows, 1)), (np.arange(rows) >= right).astype(np.int32)


@pytest.mark.parametrize(("gap", "share"), [(0.3, 0.8), (4.0, 0.75), (1.0, 0.6)])
def test_two_classes_and_one_gap_have_a_closed_form(gap, share):
    """By hand: the loss is least where sigmoid(gap / T) is the share that is right, so T = gap / logit(share)."""
    scores, labels = say(gap, int(share * 100), 100)
    assert fit_temperature(scores, labels) == pytest.approx(gap / np.log(share / (1 - share)), rel=1e-4)


def test_no_other_temperature_has_a_smaller_loss():
    random = np.random.default_rng(0)
    scores = random.normal(size=(300, 4)).astype(np.float32) * 3
    labels = np.array([random.choice(4, p=one) for one in soften(scores.astype(float), 2.5)])

    def measure(temperature):
        return -log_softmax(scores.astype(float) / temperature, axis=1)[np.arange(300), labels].mean()

    found = fit_temperature(scores, labels)
    assert found == pytest.approx(2.5, rel=0.25)
    assert all(measure(found) <= measure(found * factor) for factor in (0.9, 0.999, 1.001, 1.1))


def test_scores_that_say_nothing_become_even_and_perfect_ones_stay():
    assert fit_temperature(*say(1.0, 30, 100)) == pytest.approx(HOTTEST, rel=1e-3)  # worse than a coin
    assert fit_temperature(*say(1.0, 100, 100)) == 1.0


def train(scores):
    """A training of two seeds, of which the second is selected and says `scores`."""
    return Training(None, [3, 4], [1, 1], 1, [], 0.1, lambda parameters, features: np.stack([-scores, scores]))


def test_the_selected_seed_is_calibrated_and_few_labels_are_not(caplog):
    scores, labels = say(2.0, 45, 60)
    found = calibrate(train(scores), Split(None, None, labels), "t")
    assert found.temperature == pytest.approx(2 / np.log(3), rel=1e-4)
    assert (found.texts, found.right) == ([60], [45])
    assert found.confidences == pytest.approx([0.75])
    with caplog.at_level(logging.INFO, "student_jax"):
        assert calibrate(train(scores[:49]), Split(None, None, labels[:49]), "t") is None
    assert "t: not calibrated, validation has 49 labels and must have 50" in caplog.text
