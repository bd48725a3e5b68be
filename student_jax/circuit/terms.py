"""A trained circuit's polynomial cut short, with a bound on what that can do to any probability, of any text.

In: the coefficients of surrogate.py.  Out: Terms, sort_terms(), bound_probabilities(), cut_terms(),
fill_coefficients(), score_angles().  Imports: numpy alone, for
it is what a student at work needs. Coefficients are (classes, 3, ..., 3), angles z (rows, qubits).

What is dropped of a class's polynomial changes its score by a sum of A_c[t] prod_i f_(t_i)(z_i), f = (1, -sin, cos).
Of the dropped terms take those that have a sine or cosine on the same set S of qubits. Their products are entries of
the tensor product over S of the unit vectors (-sin z_i, cos z_i), which is a unit vector: by Cauchy and Schwarz their
sum is at most the root of the sum of their A_c[t]^2. So with e_c the sum of these norms over all S no score is off by
more than e_c, which is never more than the sum of the dropped |A_c[t]|, and several times less where many are dropped.

From scores to probabilities, softmax(scores / T): log(p_c / (1 - p_c)) is s_c / T less the logarithm of the sum of the
other exp(s_k / T). Where no score is off by more than its e, it is off by at most r = (e_a + e_b) / T, with a and b
the two classes of the largest e. So p_c = logistic(x) becomes at most logistic(x + r), and their difference is largest
at x = -r / 2: no probability is off by more than tanh(r / 4). The readout's bias stands in A_c[0 ... 0], cut or kept as
the others are; what all scores have in common cancels.
"""

from typing import NamedTuple

import numpy as np

# What float64 may lose where coefficients are made and summed: this part of their absolute sum, some 1e-15 as measured.
ROUNDING = 1e-13
# Texts that are scored at once: of 13 qubits and float64, 18 MiB of products.
_ROWS = 1024


class Terms(NamedTuple):
    """Coefficients of all classes, the largest first.

    `positions` are those in an array (classes, 3, ..., 3) of `qubits` threes, read row by row; `rest` is how far each
    class's score can be off by what is not here.
    """

    qubits: int
    positions: np.ndarray  # (terms,)
    coefficients: np.ndarray  # (terms,)
    rest: np.ndarray  # (classes,)


def sort_terms(coefficients: np.ndarray) -> Terms:
    """All coefficients but those that float64 cannot tell from zero; of equal ones the first by position."""
    sizes = np.abs(coefficients).ravel()
    order = np.argsort(-sizes, kind="stable")
    kept = order[: np.count_nonzero(sizes > ROUNDING * sizes.max())]
    rest = ROUNDING * sizes.reshape(len(coefficients), -1).sum(axis=1)
    terms = Terms(coefficients.ndim - 1, order.astype(np.uint32), coefficients.ravel()[order], rest)
    return _keep(terms, len(kept))


def bound_scores(terms: Terms, kept: int) -> np.ndarray:
    """How far each class's score can be off, e_c above, where only the first `kept` terms are left."""
    sets = _list_sets(terms.qubits)
    classes, place = np.divmod(terms.positions[kept:], np.uint32(len(sets)))
    groups = (classes.astype(np.int64) << terms.qubits) + sets[place]
    squares = terms.coefficients[kept:].astype(np.float64) ** 2
    norms = np.sqrt(np.bincount(groups, squares, len(terms.rest) << terms.qubits))
    return terms.rest + norms.reshape(len(terms.rest), -1).sum(axis=1)


def bound_probabilities(scores: np.ndarray, temperature: float) -> float:
    """How far any probability can be off where each class's score can be off by that of `scores`."""
    return float(np.tanh(np.sort(scores)[-2:].sum() / temperature / 4))


def cut_terms(terms: Terms, error: float, temperature: float = 1.0) -> tuple[Terms, float]:
    """The fewest first terms by which no probability is off by more than `error`, and their bound.

    All of them, with their own bound, where even that is larger than `error`.
    """

    def bound(kept: int) -> float:
        return bound_probabilities(bound_scores(terms, kept), temperature)

    few, enough = -1, len(terms.positions)  # too few; enough, or all
    while enough - few > 1:
        middle = (few + enough) // 2
        few, enough = (few, middle) if bound(middle) <= error else (middle, enough)
    return _keep(terms, enough), bound(enough)


def fill_coefficients(terms: Terms) -> np.ndarray:
    """The array of coefficients that these terms are, zero elsewhere."""
    filled = np.zeros((len(terms.rest), *(3,) * terms.qubits), terms.coefficients.dtype)
    filled.reshape(-1)[terms.positions] = terms.coefficients
    return filled


def score_angles(coefficients: np.ndarray, z: np.ndarray) -> np.ndarray:
    """The scores of the encoding's angles, in their precision: two products of factors and one contraction a class."""
    middle = z.shape[1] // 2
    matrices = coefficients.reshape(len(coefficients), 3**middle, -1)
    scores = np.empty((len(z), len(matrices)), z.dtype)
    for start in range(0, len(z), _ROWS):
        rows = z[start : start + _ROWS]
        factors = np.stack([np.ones_like(rows), -np.sin(rows), np.cos(rows)], axis=-1)
        left, right = _multiply(factors[:, :middle]), _multiply(factors[:, middle:])
        for index, matrix in enumerate(matrices):
            scores[start : start + _ROWS, index] = np.einsum("rk,rk->r", left @ matrix, right)
    return scores


def _multiply(factors: np.ndarray) -> np.ndarray:
    products = np.ones((len(factors), 1), factors.dtype)
    for qubit in range(factors.shape[1]):
        products = (products[:, :, None] * factors[:, None, qubit]).reshape(len(factors), -1)
    return products


def _keep(terms: Terms, kept: int) -> Terms:
    """The first `kept` terms; the others can do what `rest` then says."""
    return terms._replace(
        positions=terms.positions[:kept], coefficients=terms.coefficients[:kept], rest=bound_scores(terms, kept)
    )


def _list_sets(qubits: int) -> np.ndarray:
    """For each of the 3^n terms the qubits that have a sine or cosine in it, as the bits of a number."""
    sets = np.zeros(1, np.int64)
    for _ in range(qubits):
        sets = (2 * sets[:, None] + np.array([0, 1, 1])).ravel()
    return sets
