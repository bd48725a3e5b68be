"""A student's scores from the coefficients of its polynomial: matrix products, and no simulation.

In: Terms, angles of the encoding.  Out: Polynomial.  Imports: NumPy.

The qubits are split in two halves, whose products of (1, -sin z, cos z) have 3^5 and 3^6 values a text for 11 qubits:
score_c = l^T A_c r, all A_c below each other in one matrix, a text a column.

Within an error that is named, A_c is U G_c V^T with U and V of few columns: those directions of all A_c, beside and
below each other, whose singular values are above a limit. What that leaves of A_c is an array of coefficients that are
dropped, for which terms.py has the bound. The limit is the largest with a bound within the error.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from student_jax.circuit.terms import Terms, bound_probabilities, bound_scores, fill_coefficients
from teacher_cache.errors import UserError

# Texts that are scored at once; of 64 and of 1,024 each took longer.
BLOCK_TEXTS = 256
# Of fewer blocks a thread is not worth its start.
BLOCKS_PER_THREAD = 8
# So near is the limit to the largest that would do, as a factor 2^(64 / 2^STEPS).
STEPS = 9


@dataclass(frozen=True)
class Polynomial:
    """`matrices` are (classes, left, right): A_c, or where there are `bases` U and V, G_c."""

    qubits: int
    matrices: np.ndarray
    bases: tuple[np.ndarray, np.ndarray] | None = None

    @classmethod
    def from_terms(cls, terms: Terms, precision: str) -> "Polynomial":
        """All `terms`, in the type `precision`."""
        return cls(terms.qubits, _split(terms).astype(precision))

    @classmethod
    def within_error(cls, terms: Terms, precision: str, error: float, temperature: float) -> "Polynomial":
        """The smallest form by which no probability of any text is off by more than `error`, but for rounding.

        Args:
            terms: the student's.
            precision: the type in which it is evaluated.
            error: in probabilities, certified.
            temperature: what scores are divided by before their softmax.

        Raises:
            UserError: `error` is below what is certified of all `terms`, or above 1.
        """
        least = bound_probabilities(terms.rest, temperature)
        if not least < error <= 1:
            raise UserError(
                f"error must be above {least:.2g}, what is certified of all that is stored, and at most 1, got "
                f"{error:g}; name none for the student's own probabilities"
            )
        whole = _split(terms).astype(np.float64)
        left, left_sizes, _ = np.linalg.svd(np.concatenate(whole, axis=1), full_matrices=False)
        _, right_sizes, right = np.linalg.svd(np.concatenate(whole), full_matrices=False)

        def reduce(exponent: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            limit = left_sizes[0] * 2.0**-exponent
            # The largest of each stays, where the error would allow none at all.
            u, v = (
                basis[sizes >= min(limit, sizes[0])].T for basis, sizes in ((left.T, left_sizes), (right, right_sizes))
            )
            return u, v, u.T @ whole @ v

        few, enough = 0.0, 64.0  # below 2^-64 of the largest there is nothing
        for _ in range(STEPS):
            middle = (few + enough) / 2
            u, v, core = reduce(middle)
            dropped = (whole - u @ core @ v.T).ravel()
            rest = terms._replace(positions=np.arange(dropped.size, dtype=np.uint32), coefficients=dropped)
            bound = bound_probabilities(bound_scores(rest, 0), temperature)
            few, enough = (few, middle) if bound <= error else (middle, enough)
        u, v, core = (array.astype(precision) for array in reduce(enough))
        return cls(terms.qubits, core, (np.ascontiguousarray(u.T), np.ascontiguousarray(v.T)))

    def score(self, z: np.ndarray) -> np.ndarray:
        """The scores (rows, classes) of angles (rows, qubits); those of many texts on all cores."""
        threads = min(os.cpu_count() or 1, len(z) // (BLOCKS_PER_THREAD * BLOCK_TEXTS))
        if threads < 2:
            return self._score(z)
        with ThreadPoolExecutor(threads) as pool:
            return np.concatenate(list(pool.map(self._score, np.array_split(z, threads))))

    def _score(self, z: np.ndarray) -> np.ndarray:
        classes, rows, columns = self.matrices.shape
        below = self.matrices.reshape(-1, columns)
        scores = np.empty((len(z), classes), below.dtype)
        middle, most = self.qubits // 2, min(BLOCK_TEXTS, len(z))
        # Allocated once: memory that is new takes longer to get than to fill.
        buffers = [np.empty((3**half, most), below.dtype) for half in (middle, self.qubits - middle)]
        for start in range(0, len(z), BLOCK_TEXTS):
            angles = z[start : start + BLOCK_TEXTS].T
            left, right = (buffer[:, : angles.shape[1]] for buffer in buffers)
            _fill_products(left, angles[:middle])
            _fill_products(right, angles[middle:])
            if self.bases is not None:
                left, right = self.bases[0] @ left, self.bases[1] @ right
            sums = (below @ right).reshape(classes, rows, -1)
            scores[start : start + BLOCK_TEXTS] = np.einsum("clt,lt->tc", sums, left)
        return scores


def _split(terms: Terms) -> np.ndarray:
    return fill_coefficients(terms).reshape(len(terms.rest), 3 ** (terms.qubits // 2), -1)


def _fill_products(products: np.ndarray, angles: np.ndarray) -> None:
    """Write into `products`, (3^qubits, texts), those of one of 1, -sin z, cos z of each qubit, the last fastest."""
    products[0], done = 1, 1
    for sine, cosine in zip(-np.sin(angles[::-1]), np.cos(angles[::-1]), strict=True):
        np.multiply(products[:done], sine, out=products[done : 2 * done])
        np.multiply(products[:done], cosine, out=products[2 * done : 3 * done])
        done *= 3
