"""A trained student at work: texts -> labels and probabilities, from one folder, without torch.

In: the folder of a student.  Out: Student, Prediction.
Imports: NumPy, what the features' kind needs; jax where the engine is one of its own.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from student_jax.calibration import Threshold, find_threshold, require_confidence, soften
from student_jax.checkpoint import Checkpoint, load_checkpoint
from student_jax.config import EngineName
from student_jax.data.embedder import Embedder, identify_embedder, load_embedder
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


@dataclass(frozen=True)
class Student:
    """The best seed of a checkpoint with the embedder it was trained on, in the process that loaded it."""

    checkpoint: Checkpoint
    embedder: Embedder
    score: Callable[[Any, np.ndarray], np.ndarray]
    process: int = field(default_factory=os.getpid)

    @classmethod
    def load(
        cls,
        folder: str | Path,
        engine: EngineName | None = None,
        encoder: "Encoder | FindEncoder | None" = None,
        circuit: str | Path | None = None,
    ) -> "Student":
        """Load a student.

        Args:
            folder: student.safetensors, student.json, embedder.safetensors and embedder.json.
            engine: what simulates the circuit, where it is not the engine of the training.
            encoder: the frozen encoder of students whose features are of the kind `encoder`, or what finds it.
            circuit: the Python file of students whose circuit is the user's own.

        Raises:
            UserError: a file is missing, damaged or from another student, or engine or encoder is not there.
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
        from student_jax.model import build_model, build_scorer  # jax takes seconds to import

        config = replace(description.config, engine=engine or description.config.engine)
        model = build_model(config, description.dimensions, len(description.labels))
        return cls(checkpoint, embedder, build_scorer(model, config.precision))

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
        labels, probabilities = self._classify(self.embedder.transform(readable), confidence)
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
        return self._classify(self.embedder.prepare(vectors), confidence)

    def _classify(self, features: np.ndarray, confidence: float) -> Prediction:
        if os.getpid() != self.process:  # where JAX's threads are not, and it would wait for them for ever
            raise UserError(
                f"a student must be used in the process that loaded it, {self.process}, got its fork {os.getpid()}; "
                "load it in the fork, or start workers with multiprocessing's spawn"
            )
        scores = self.score(self.checkpoint.selected_parameters, features)[0]
        probabilities = soften(scores, self.checkpoint.description.temperature).astype(np.float32)
        named = zip(scores.argmax(axis=1), probabilities.max(axis=1) >= confidence, strict=True)
        return Prediction([self.labels[k] if sure else None for k, sure in named], probabilities)
