"""Numbers of every kind say the same of the classes; what a list of the likeliest lacks shares the rest."""

import numpy as np
import pytest
from scipy.special import softmax as scipy_softmax

from teacher_cache.distributions import FLOOR, find_excess, softmax, to_logits, to_probabilities

PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.05, 0.05, 0.9]])
NOWHERE = np.zeros(2)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("probabilities", PROBABILITIES),
        ("log_probabilities", np.log(PROBABILITIES)),
        ("logits", np.log(PROBABILITIES) + np.array([[5.0], [-3.0]])),
    ],
)
def test_all_kinds_say_the_same(kind, values):
    np.testing.assert_allclose(to_probabilities(values, kind, NOWHERE), PROBABILITIES, rtol=1e-12)


def test_absent_classes_share_what_is_left():
    """By hand: 0.9 given, 0.05 of what is no class, so 0.05 for two classes; 1.02 given leaves nothing."""
    values = np.array([[0.9, np.nan, np.nan], [0.6, 0.42, np.nan]])
    found = to_probabilities(values, "probabilities", np.array([0.05, 0.0]))
    np.testing.assert_allclose(found, [[0.9, 0.025, 0.025], [0.6, 0.42, 0.0]])
    np.testing.assert_allclose(find_excess(found, np.array([0.05, 0.0])), [0, 0.02], atol=1e-12)


def test_logits_are_logarithms_with_a_floor_and_add_up_to_1():
    """By hand: of (2, 2, 0) the sum is 4, and 0 becomes the floor."""
    found = to_logits(np.array([[2.0, 2.0, 0.0]]))
    expected = np.array([0.5, 0.5, FLOOR]) / (1 + FLOOR)
    np.testing.assert_allclose(np.exp(found.astype(float)), [expected], rtol=1e-6)
    np.testing.assert_allclose(softmax(found), [expected], rtol=1e-6)


def test_softmax_is_scipys():
    logits = np.array([[1000.0, 999.0], [-3.0, 4.0]], np.float32)
    np.testing.assert_allclose(softmax(logits), scipy_softmax(logits.astype(float), axis=1), rtol=1e-6)
