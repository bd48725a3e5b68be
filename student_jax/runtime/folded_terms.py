"""Texts -> angles of the encoding, without their features: (TF-IDF P) w = TF-IDF (P w), 11 numbers a term and not 768.

In: a CorpusEmbedding, the encoding's weights.  Out: FoldedTerms.  Imports: NumPy.
"""

from collections.abc import Sequence

import numpy as np

from student_jax.data.corpus_features import CorpusEmbedding


class FoldedTerms:
    """The rows of P w; one is made when the first text has its term, so that loading a student takes no time."""

    def __init__(self, embedding: CorpusEmbedding, weight: np.ndarray) -> None:
        """Take the encoding's `weight`, (dimensions, qubits)."""
        self._embedding, self._weight = embedding, weight
        self._rows = np.zeros((len(embedding.projection), weight.shape[1]), weight.dtype)
        self._known = np.zeros(len(embedding.projection), bool)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """E w of the features E of `texts`, in their normal form: (rows, qubits)."""
        values, columns, starts = self._embedding.weigher.weigh(texts)
        unknown = np.unique(columns[~self._known[columns]])
        if len(unknown):
            self._rows[unknown] = self._embedding.projection[unknown].astype(self._weight.dtype) @ self._weight
            self._known[unknown] = True
        terms = np.zeros((len(columns) + 1, self._rows.shape[1]), self._rows.dtype)  # one more, for texts without any
        np.multiply(self._rows[columns], values[:, None], out=terms[:-1])
        encoded = np.add.reduceat(terms, starts[:-1])
        encoded[starts[1:] == starts[:-1]] = 0
        return encoded
