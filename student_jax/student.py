"""A trained student at work: texts -> labels and probabilities, from one folder, without torch.

In: the folder of a student.  Out: Student, Prediction.
Imports: NumPy, what the features' kind needs; jax for an engine that is named and for circuits of the user's own.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from student_jax.calibration import Threshold, find_threshold, require_confidence, soften
from student_jax.checkpoint import Checkpoint, find_owner, load_checkpoint
from student_jax.circuit.stored_terms import load_terms
from student_jax.config import EngineName, StudentConfig
from student_jax.data.embedder import Embedder, identify_embedder, load_embedder
from student_jax.parameters import arrange_parameters, name_parameters
from student_jax.runtime.polynomial import Polynomial
from student_jax.runtime.scorer import LightScorer, is_light
from teacher_cache.errors import UserError

if TYPE_CHECKING:
    from student_jax.data.encoder_features import Encoder, FindEncoder


class Prediction(NamedTuple):
    """Names of the likeliest classes (rows), and all probabilities (rows, classes), float32.

    Of a text that cannot be classified (`Student.find_faults` says why) the name is None and the probabilities NaN; of
    one whose likeliest class has less than a confidence that was asked for, the name alone is None.
    """

    labels: list[str | None]
    probabilities: np.ndarray


class CompiledScorer:
    """A student's scores by an engine of JAX, in the process that loaded it."""

    def __init__(self, config: StudentConfig, checkpoint: Checkpoint, embedder: Embedder) -> None:
        """Build the engine that `config` names.

        Raises:
            UserError: JAX or the engine is not there.
        """
        try:
            from student_jax.model import build_model, build_scorer
        except ModuleNotFoundError as error:
            needed = (
                "a circuit that NumPy alone cannot answer for" if config.circuit.file else f"engine {config.engine}"
            )
            raise UserError(f"{needed} needs {error.name}: pip install 'qdllm[student]'") from None
        description = checkpoint.description
        model = build_model(config, description.dimensions, len(description.labels))
        self._score = build_scorer(model, config.precision)
        self._parameters, self._embedder = checkpoint.selected_parameters, embedder
        self.process = os.getpid()

    def score_features(self, features: np.ndarray) -> np.ndarray:
        """The scores (rows, classes) of features (rows, dimensions).

        Raises:
            UserError: this is a fork of the process that loaded the student.
        """
        if os.getpid() != self.process:  # where JAX's threads are not, and it would wait for them for ever
            raise UserError(
                f"a student must be used in the process that loaded it, {self.process}, got its fork {os.getpid()}; "
                "load it in the fork, or start workers with multiprocessing's spawn"
            )
        return self._score(self._parameters, features)[0]

    def score_texts(self, texts: Sequence[str]) -> np.ndarray:
        """The scores (rows, classes) of texts in their normal form."""
        return self.score_features(self._embedder.embedding.transform(texts))


@dataclass(frozen=True)
class Student:
    """The best seed of a checkpoint with the embedder it was trained on, in the process that loaded it."""

    checkpoint: Checkpoint
    embedder: Embedder
    scorer: LightScorer | CompiledScorer

    @classmethod
    def load(
        cls,
        folder: str | Path,
        engine: EngineName | None = None,
        encoder: "Encoder | FindEncoder | None" = None,
        circuit: str | Path | None = None,
        error: float | None = None,
    ) -> "Student":
        """Load a student.

        Args:
            folder: student.safetensors, student.json, embedder.safetensors and embedder.json; with
                surrogate.safetensors and surrogate.json it answers some ten times as fast.
            engine: what simulates the circuit, in JAX; where none is named NumPy is enough for the shipped circuits.
            encoder: the frozen encoder of students whose features are of the kind `encoder`, or what finds it.
            circuit: the Python file of students whose circuit is the user's own.
            error: the most by which any probability may be off, for an answer from fewer terms; certified.

        Raises:
            UserError: a file is missing, damaged or from another student, engine or encoder is not there, or `error`
                cannot be had.
        """
        checkpoint = load_checkpoint(Path(folder), None if circuit is None else Path(circuit))
        embedder = load_embedder(Path(folder), encoder)
        description = checkpoint.description
        if identify_embedder(Path(folder)) != description.embedder:
            raise UserError(f"{folder}: embedder.json is another student's; take the one that it was trained with")
        if embedder.dimensions != description.dimensions:
            raise UserError(
                f"{folder}: embedder must have {description.dimensions} dimensions, got {embedder.dimensions}"
            )
        if engine is None and is_light(description.config.circuit):
            return cls(checkpoint, embedder, _build_light(Path(folder), checkpoint, embedder, error))
        if error is not None:
            raise UserError(
                f"an error can be named where no engine is, for a circuit of ours, got {engine or 'another circuit'}"
            )
        config = replace(description.config, engine=engine or description.config.engine)
        return cls(checkpoint, embedder, CompiledScorer(config, checkpoint, embedder))

    @classmethod
    def from_pretrained(cls, repo: str, revision: str, **options: Any) -> "Student":
        """Load a student that `qdllm publish --push` put on a hub.

        Args:
            repo: OWNER/NAME.
            revision: the 40 hexadecimal digits of a commit.
            **options: of `load`.

        Raises:
            UserError: as of `load`; another revision, or the hub does not give a student.
        """
        from student_jax.pretrained import fetch_student

        return cls.load(fetch_student(repo, revision), **options)

    @property
    def labels(self) -> list[str]:
        """The class names, in the order of the probabilities' columns."""
        return self.checkpoint.description.labels

    def find_threshold(self, accuracy: float) -> Threshold:
        """The least confidence at which the validation texts that are answered are right as often as `accuracy`.

        Raises:
            UserError: `accuracy` is none, the student has no calibration, or validation does not reach it.
        """
        return find_threshold(self.checkpoint.description.calibration, accuracy)

    def predict(self, texts: Sequence[str | None], confidence: float = 0.0) -> Prediction:
        """Classify `texts`, in whatever normal form they come; one that has a fault fails alone.

        Args:
            texts: any number of them.
            confidence: a text whose likeliest class has a smaller probability gets no name.

        Raises:
            UserError: `texts` is one string and not a sequence of them, or `confidence` is not from 0 to 1.
        """
        require_confidence(confidence)
        faults = self.find_faults(texts)
        if not faults:
            return Prediction([], np.zeros((0, len(self.labels)), np.float32))
        # As many rows as texts, for which there may be a compiled program.
        readable = ["" if text is None or fault else text for text, fault in zip(texts, faults, strict=True)]
        scores = self.scorer.score_texts([self.embedder.rules.normalise(text) for text in readable])
        labels, probabilities = self._classify(scores, confidence)
        probabilities[[fault is not None for fault in faults]] = np.nan
        named = [None if fault else label for label, fault in zip(labels, faults, strict=True)]
        return Prediction(named, probabilities)

    def find_faults(self, texts: Sequence[str | None]) -> list[str | None]:
        """Of each text the rule that it breaks, by which stage prepare would have dropped it too; None where none.

        Raises:
            UserError: `texts` is one string and not a sequence of them.
        """
        if isinstance(texts, str):
            raise UserError("texts must be a list of texts, got one text; put it in brackets")
        return [self.embedder.rules.explain_fault(text) for text in texts]

    def predict_features(self, vectors: np.ndarray, confidence: float = 0.0) -> Prediction:
        """Classify texts by vectors (rows, dimensions) made elsewhere.

        Args:
            vectors: as the file of features of the kind `file` holds them; for all others, as `embed` wrote them.
            confidence: as `predict` has it.

        Raises:
            UserError: they have another shape, or a number that is not finite; or `confidence` is not from 0 to 1.
        """
        require_confidence(confidence)
        dimensions = self.embedder.dimensions
        if vectors.ndim != 2 or vectors.shape[1] != dimensions or not np.isfinite(vectors).all():
            raise UserError(f"vectors must be finite and of shape (rows, {dimensions}), got shape {vectors.shape}")
        return self._classify(self.scorer.score_features(self.embedder.prepare(vectors)), confidence)

    def _classify(self, scores: np.ndarray, confidence: float) -> Prediction:
        probabilities = soften(scores, self.checkpoint.description.temperature).astype(np.float32)
        named = zip(scores.argmax(axis=1), probabilities.max(axis=1) >= confidence, strict=True)
        return Prediction([self.labels[k] if sure else None for k, sure in named], probabilities)


def _build_light(folder: Path, checkpoint: Checkpoint, embedder: Embedder, error: float | None) -> LightScorer:
    description = checkpoint.description
    config = description.config
    stored = load_terms(folder, find_owner(folder, checkpoint))
    if stored is None and error is not None:
        raise UserError(
            f"an error can be named where {folder / 'surrogate.safetensors'} is, got none; make it with "
            "`qdllm surrogate --write`, or name no error"
        )
    if stored is None:
        polynomial = None
    elif error is None:
        polynomial = Polynomial.from_terms(stored.terms, config.precision)
    else:
        polynomial = Polynomial.within_error(stored.terms, config.precision, error, description.temperature)
    arrays = {name: array[0] for name, array in name_parameters(checkpoint.selected_parameters).items()}
    parameters = arrange_parameters(config, arrays)
    return LightScorer(config, len(description.labels), parameters, embedder, polynomial)
