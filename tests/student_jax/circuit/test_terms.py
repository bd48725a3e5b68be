import itertools
import math

import numpy as np
import pytest
from scipy.special import softmax

from student_jax.circuit.surrogate import build_coefficients
from student_jax.circuit.terms import (
    Terms,
    bound_probabilities,
    bound_scores,
    cut_terms,
    fill_coefficients,
    score_angles,
    sort_terms,
)
from student_jax.config import CircuitConfig
from tests.student_jax.circuit.test_surrogate import draw


def make_coefficients(qubits=5, layers=3, classes=3, entanglement="chain", readout="linear"):
    circuit = CircuitConfig(qubits=qubits, layers=layers, entanglement=entanglement, readout=readout)
    return build_coefficients(circuit, classes, *draw(circuit, classes))


def test_scores_are_the_sum_over_all_terms():
    """Against the definition, one term after the other."""
    coefficients = make_coefficients(qubits=3)
    z = np.random.default_rng(0).normal(size=(7, 3))
    expected = np.zeros((7, 3))
    for term in itertools.product(range(3), repeat=3):
        factors = [(np.ones(7), -np.sin(z[:, i]), np.cos(z[:, i]))[kind] for i, kind in enumerate(term)]
        expected += math.prod(factors)[:, None] * coefficients[(slice(None), *term)]
    np.testing.assert_allclose(score_angles(coefficients, z), expected, atol=1e-14)
    assert score_angles(coefficients.astype(np.float32), z.astype(np.float32)).dtype == np.float32


def test_the_bound_by_hand():
    """Two qubits, dropped: 0.3 and 0.4 on both qubits (norm 0.5), 0.1 on the first alone, the constant 0.2."""
    coefficients = np.zeros((2, 3, 3))
    coefficients[0, 1, 1], coefficients[0, 2, 1], coefficients[0, 2, 0], coefficients[0, 0, 0] = 0.3, -0.4, 0.1, 0.2
    coefficients[1, 0, 1] = 5
    terms = sort_terms(coefficients)
    assert terms.positions.tolist() == [9 + 1, 7, 4, 0, 6]
    assert terms.coefficients.tolist() == [5, -0.4, 0.3, 0.2, 0.1]
    np.testing.assert_allclose(bound_scores(terms, 1), [0.5 + 0.1 + 0.2, 0], atol=1e-12)
    np.testing.assert_allclose(bound_scores(terms, 0), [0.8, 5], atol=1e-12)
    assert bound_probabilities(np.array([0.8, 0.1, 5.0]), 2.0) == pytest.approx(math.tanh(5.8 / 8))


def test_the_bound_of_probabilities_is_reached():
    """By hand, two classes: scores (r/4, -r/4), each off by r/2, change p from logistic(r/2) to logistic(-r/2)."""
    r = 0.7
    before, after = softmax([[r / 4, -r / 4]], axis=1), softmax([[r / 4 - r / 2, -r / 4 + r / 2]], axis=1)
    bound = bound_probabilities(np.array([r / 2, r / 2]), 1.0)
    np.testing.assert_allclose(np.abs(after - before).max(), bound, rtol=1e-12)


@pytest.mark.parametrize("entanglement", ["chain", "ring"])
@pytest.mark.parametrize("readout", ["linear", "first"])
def test_no_text_of_100000_breaks_the_bound(entanglement, readout):
    """At random angles, of any size and near zero, where students have theirs; and at the corners of the cosines."""
    coefficients = make_coefficients(entanglement=entanglement, readout=readout)
    random = np.random.default_rng(0)
    z = random.normal(size=(100_000, 5)) * random.choice([0.1, 1, 10], (100_000, 1))
    z[:2000] = random.choice([-np.pi, -np.pi / 2, 0, np.pi / 2], (2000, 5))
    exact = score_angles(coefficients, z)
    terms = sort_terms(coefficients)
    for error, temperature in itertools.product([0.3, 0.1, 0.01, 0.001, 0.0], [0.5, 1.0, 3.0]):
        cut, bound = cut_terms(terms, error, temperature)
        scores = score_angles(fill_coefficients(cut), z)
        assert (np.abs(scores - exact).max(axis=0) <= cut.rest).all()
        off = np.abs(softmax(scores / temperature, axis=1) - softmax(exact / temperature, axis=1)).max()
        assert off <= bound
        assert bound <= error or len(cut.positions) == len(terms.positions)


def test_a_cut_is_the_shortest_beginning_within_the_error():
    terms = sort_terms(make_coefficients())
    cut, bound = cut_terms(terms, 0.05)
    kept = len(cut.positions)
    assert 0 < kept < len(terms.positions)
    assert bound <= 0.05 < bound_probabilities(bound_scores(terms, kept - 1), 1.0)
    np.testing.assert_array_equal(cut.positions, terms.positions[:kept])
    assert len(cut_terms(terms, 1.0)[0].positions) == 0


def test_cutting_twice_never_promises_more_than_cutting_once():
    terms = sort_terms(make_coefficients())
    once, _ = cut_terms(terms, 0.05)
    twice, bound = cut_terms(cut_terms(terms, 0.01)[0], 0.05)
    assert len(twice.positions) >= len(once.positions)
    assert bound_probabilities(bound_scores(terms, len(twice.positions)), 1.0) <= bound <= 0.05


def test_the_certificate_is_never_worse_than_the_sum_of_what_is_dropped():
    coefficients = make_coefficients()
    terms = sort_terms(coefficients)
    classes = terms.positions // coefficients[0].size
    for kept in (0, 10, 100):
        dropped = np.bincount(classes[kept:], np.abs(terms.coefficients[kept:]), 3)
        assert (bound_scores(terms, kept) < dropped + 1e-12).all()


def test_nothing_is_left_of_a_readout_of_zeros():
    terms = sort_terms(np.zeros((2, 3, 3)))
    assert isinstance(terms, Terms)
    assert (len(terms.positions), cut_terms(terms, 0.0)[1]) == (0, 0.0)
    assert not fill_coefficients(terms).any()
