"""A student's scores in NumPy alone: features or texts -> angles of the encoding -> scores.

In: a student's settings and parameters, its embedder, its polynomial where it has one.
Out: LightScorer, is_light().  Imports: NumPy, what the features' kind needs.
"""

from collections.abc import Callable, Sequence

import numpy as np

from student_jax.config import CircuitConfig, StudentConfig
from student_jax.data.corpus_features import CorpusEmbedding
from student_jax.data.embedder import Embedder
from student_jax.parameters import Parameters
from student_jax.runtime.amplitudes import MAX_QUBITS, Simulation
from student_jax.runtime.folded_terms import FoldedTerms
from student_jax.runtime.polynomial import Polynomial


class LightScorer:
    """A student's scores by its polynomial, or where it has none by simulating its circuit."""

    def __init__(
        self,
        config: StudentConfig,
        classes: int,
        parameters: Parameters,
        embedder: Embedder,
        polynomial: Polynomial | None,
    ) -> None:
        """Take one seed's `parameters`, and its `polynomial` where it has one; nothing is computed."""
        self._weight, self._bias = parameters.encoding
        self._embedder = embedder
        self._measure = _simulate(config, classes, parameters) if polynomial is None else polynomial.score
        embedding = embedder.embedding
        self._encode: Callable[[Sequence[str]], np.ndarray] = (
            FoldedTerms(embedding, self._weight).encode if isinstance(embedding, CorpusEmbedding) else self._embed
        )

    def score_features(self, features: np.ndarray) -> np.ndarray:
        """The scores (rows, classes) of features (rows, dimensions)."""
        return self._measure(features.astype(self._weight.dtype, copy=False) @ self._weight + self._bias)

    def score_texts(self, texts: Sequence[str]) -> np.ndarray:
        """The scores (rows, classes) of texts in their normal form."""
        return self._measure(self._encode(texts) + self._bias)

    def _embed(self, texts: Sequence[str]) -> np.ndarray:
        features = self._embedder.embedding.transform(texts)
        return features.astype(self._weight.dtype, copy=False) @ self._weight


def is_light(circuit: CircuitConfig) -> bool:
    """Whether NumPy is enough for it: a shipped circuit that is not too wide to simulate."""
    return circuit.file is None and circuit.qubits <= MAX_QUBITS


def _simulate(config: StudentConfig, classes: int, parameters: Parameters) -> Callable[[np.ndarray], np.ndarray]:
    measure = Simulation(config.circuit, classes, parameters.angles, config.precision).measure
    if parameters.readout is None:
        return measure
    weight, bias = parameters.readout
    return lambda z: measure(z) @ weight + bias
