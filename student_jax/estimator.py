"""The quantum student as a classifier of scikit-learn: fit on features or texts, with a teacher's probabilities or not.

In: X, y and probabilities, as scikit-learn has them.  Out: QuantumStudentClassifier.
Imports: jax, numpy, scikit-learn (the extra `sklearn`).
"""

import json
import warnings
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jax
import numpy as np
from pydantic import TypeAdapter, ValidationError
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from student_jax.calibration import soften
from student_jax.checkpoint import DESCRIPTION, save_student
from student_jax.config import CircuitConfig, EmbedConfig, LossConfig, StudentConfig
from student_jax.data.dataset import Split
from student_jax.data.embedder import Embedder, fit_embedder
from student_jax.data.file_features import fit_file
from student_jax.data.given_rows import Labels, hold_out, is_texts, read_labels, read_logits, read_texts
from student_jax.export.certificate import complete_student
from student_jax.model import resolve_engine
from student_jax.training.kept_programs import score_kept, train_kept
from student_jax.training.losses import isolate_term
from student_jax.training.temperature import calibrate
from teacher_cache.errors import UserError
from teacher_cache.publish import publish_folder
from teacher_cache.schema import NO_LABEL


class QuantumStudentClassifier(ClassifierMixin, BaseEstimator):
    """A small quantum circuit, trained on labels, on a teacher's probabilities, or on both.

    The parameters are those of the block `student` of params.yaml, of its `circuit` and its `loss`, and of the block
    `embed`, by their names there; `min_steps` steps of the optimizer are made at least, however few the rows.

    Args:
        qubits: of the circuit.
        layers: of the circuit.
        entanglement: chain or ring.
        rotations: triple or tied.
        readout: linear or first.
        ansatz: layers or reupload.
        engine: what simulates the circuit in training.
        soft: weight of what the probabilities say.
        hard: weight of what the labels say.
        kl: weight of the KL divergence in the soft part.
        js: weight of the JS divergence in the soft part.
        temperature: of the soft part.
        confidence: of a row without a label, how sure the probabilities must be for it to count.
        learning_rate: of Adam.
        schedule: cosine or constant.
        l2: penalty on the weights that meet the features.
        l2_readout: whether it holds the readout's weights, too.
        weight_decay: of all parameters.
        clip_norm: of gradients; None clips none.
        batch_size: rows of a step.
        epochs: how often each row has a turn, at least.
        min_steps: of the optimizer.
        patience: epochs without a better validation loss after which training ends; None goes on to the end.
        seeds: students that are trained, of which validation chooses one.
        encoding_scale: of the encoding's initial angles.
        angle_scale: of the circuit's initial angles.
        precision: of the training, float32 or float64.
        dimensions: of texts' features.
        class_weights: whether terms that tell the classes apart weigh more.
        min_document_frequency: in so many texts a term must be.
        max_ngram: words of a term.
        max_terms: of each kind of term.
        hashed: whether a saved student holds hashes in place of words.
        validation_fraction: of the labelled rows of each class, held out to choose the epoch and to fit the temperature
            of the probabilities (with 50 of them or more). Where that is no row, the training rows choose.
        random_state: whole number or generator; None is NumPy's own.

    Attributes:
        classes_: the classes, sorted.
        n_features_in_: features of a row; not there after texts.
        feature_names_in_: names of columns, where X had them, all text.
        training_: parameters, curves and best epochs of every seed.
        calibration_: the temperature of the probabilities and what it was fitted on, None with fewer than 50 rows.
        embedder_: what makes features of a row of X.
    """

    def __init__(
        self,
        *,
        qubits: Any = 11,
        layers: Any = 4,
        entanglement: Any = "chain",
        rotations: Any = "triple",
        readout: Any = "linear",
        ansatz: Any = "layers",
        engine: Any = "fused",
        soft: Any = 0.5,
        hard: Any = 0.5,
        kl: Any = 1.0,
        js: Any = 1.0,
        temperature: Any = 1.0,
        confidence: Any = 0.0,
        learning_rate: Any = 0.03,
        schedule: Any = "cosine",
        l2: Any = 0.01,
        l2_readout: Any = True,
        weight_decay: Any = 0.0,
        clip_norm: Any = None,
        batch_size: Any = 64,
        epochs: Any = 3,
        min_steps: Any = 160,
        patience: Any = None,
        seeds: Any = 1,
        encoding_scale: Any = 0.3,
        angle_scale: Any = 0.3,
        precision: Any = "float32",
        dimensions: Any = 768,
        class_weights: Any = True,
        min_document_frequency: Any = 2,
        max_ngram: Any = 2,
        max_terms: Any = 20_000,
        hashed: Any = False,
        validation_fraction: Any = 0.2,
        random_state: Any = 0,
    ) -> None:
        self.qubits = qubits
        self.layers = layers
        self.entanglement = entanglement
        self.rotations = rotations
        self.readout = readout
        self.ansatz = ansatz
        self.engine = engine
        self.soft = soft
        self.hard = hard
        self.kl = kl
        self.js = js
        self.temperature = temperature
        self.confidence = confidence
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.l2 = l2
        self.l2_readout = l2_readout
        self.weight_decay = weight_decay
        self.clip_norm = clip_norm
        self.batch_size = batch_size
        self.epochs = epochs
        self.min_steps = min_steps
        self.patience = patience
        self.seeds = seeds
        self.encoding_scale = encoding_scale
        self.angle_scale = angle_scale
        self.precision = precision
        self.dimensions = dimensions
        self.class_weights = class_weights
        self.min_document_frequency = min_document_frequency
        self.max_ngram = max_ngram
        self.max_terms = max_terms
        self.hashed = hashed
        self.validation_fraction = validation_fraction
        self.random_state = random_state

    def fit(self, X: Any, y: Any, *, probabilities: Any = None) -> "QuantumStudentClassifier":
        """Train a student.

        Args:
            X: features (rows, dimensions), or a sequence of texts.
            y: a class for every row; None or NaN where there is no label.
            probabilities: (rows, classes), a teacher's, of every row; columns in the order of `classes_`. Without them
                labels alone are learned from.

        Raises:
            ValueError: X, y, probabilities or a parameter break a rule, which the message names.
        """
        if y is None:
            raise ValueError("QuantumStudentClassifier requires y to be passed, but the target y is None")
        rows = read_texts(X) if is_texts(X) else validate_data(self, X, dtype=np.float32)
        check_consistent_length(X, y)
        labels = read_labels(y)
        classes = len(labels.classes)
        if classes < 2:
            raise ValueError(f"y must have at least two classes, got 1 class: {labels.classes[0]}")
        logits = None if probabilities is None else read_logits(probabilities, len(labels.indices), classes)
        config = self._read_config(alone=logits is None)
        if logits is None and not labels.known.all():
            warnings.warn(
                f"{np.count_nonzero(~labels.known)} rows without a label teach nothing without probabilities; pass "
                "fit(X, y, probabilities=...)",
                stacklevel=2,
            )
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        held = hold_out(labels, self._require_fraction(), np.random.default_rng(seed))
        try:
            self.embedder_ = self._fit_embedder(rows, labels, held, seed)
            dataset = _divide(_embed(self.embedder_, rows), logits, labels, held)
            config = resolve_engine(config, classes)
            training = train_kept(config, dataset, classes, seed)
        except UserError as error:
            raise ValueError(str(error)) from None
        # What is compiled cannot be copied to another process; what finds it there can.
        self.training_ = training._replace(score=partial(score_kept, config, classes))
        self.calibration_ = (
            calibrate(self.training_, dataset["validation"], type(self).__name__) if held.any() else None
        )
        self.classes_, self._config = labels.classes, config
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities (rows, classes), float64; columns in the order of `classes_`.

        Raises:
            ValueError: X is not what the student was fitted on.
        """
        check_is_fitted(self)
        reads_texts = self.embedder_.config.kind != "file"
        if reads_texts != is_texts(X):
            raise ValueError(f"X must be {'texts' if reads_texts else 'features'} as it was in fit, got the other")
        rows = read_texts(X) if reads_texts else validate_data(self, X, dtype=np.float32, reset=False)
        chosen = slice(self.training_.selected, self.training_.selected + 1)
        parameters = jax.tree.map(lambda array: array[chosen], self.training_.parameters)
        scores = self.training_.score(parameters, _embed(self.embedder_, rows))[0]
        return soften(scores, 1.0 if self.calibration_ is None else self.calibration_.temperature)

    def predict(self, X: Any) -> np.ndarray:
        """The likeliest class of every row.

        Raises:
            ValueError: X is not what the student was fitted on.
        """
        likeliest = self.predict_proba(X).argmax(axis=1)
        return self.classes_[likeliest]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The share of right answers among the rows that have a label."""
        labels = read_labels(y)
        weights = None if sample_weight is None else np.asarray(sample_weight)[labels.known]
        true = labels.classes[labels.indices[labels.known]]
        return float(accuracy_score(true, self.predict(X)[labels.known], sample_weight=weights))

    def save(self, folder: str | Path) -> None:
        """Publish the student as a folder that `Student.load`, `qdllm predict` and `qdllm serve` open; no pickle.

        A class is called as it prints.

        Raises:
            FileExistsError: `folder` has something else in it than a student.
        """
        check_is_fitted(self)
        folder = Path(folder)
        if folder.exists() and not (folder / DESCRIPTION).exists() and any(folder.iterdir()):
            raise FileExistsError(f"{folder} must be empty, new, or hold a student, got other files; name another one")
        names = [str(name) for name in self.classes_.tolist()]
        origin = {"made_by": type(self).__name__}
        with TemporaryDirectory() as embedder, publish_folder(folder) as made:
            self.embedder_.save(Path(embedder))
            save_student(
                *(made, self.training_, self._config, names, Path(embedder), origin), calibration=self.calibration_
            )
            complete_student(made, self._config.circuit, len(names))

    def _read_config(self, alone: bool) -> StudentConfig:
        """The parameters as block `student` would have them, with its checks."""

        def take(kind: type) -> dict[str, Any]:
            names = {field.name for field in fields(kind)}
            return {name: value for name, value in self.get_params(deep=False).items() if name in names}

        loss = _check(LossConfig, take(LossConfig))
        if alone:
            loss = isolate_term("ce", loss)
        blocks = {"circuit": asdict(_check(CircuitConfig, take(CircuitConfig))), "loss": asdict(loss)}
        return _check(StudentConfig, take(StudentConfig) | blocks)

    def _require_fraction(self) -> float:
        if not 0 <= self.validation_fraction < 1:
            raise ValueError(f"validation_fraction must be >= 0 and < 1, got {self.validation_fraction}")
        return self.validation_fraction

    def _fit_embedder(self, rows: list[str] | np.ndarray, labels: Labels, held: np.ndarray, seed: int) -> Embedder:
        """On all texts, their terms weighted by the labels of those that are trained on; or on vectors trained on."""
        if isinstance(rows, np.ndarray):
            return Embedder(EmbedConfig(kind="file"), fit_file(rows[labels.known & ~held], "X"))
        names = ("dimensions", "class_weights", "min_document_frequency", "max_ngram", "max_terms", "hashed")
        config = _check(EmbedConfig, {name: getattr(self, name) for name in names})
        shown = np.where(held, NO_LABEL, labels.indices)
        order = np.arange(len(shown))
        if len(order) > config.fit_texts:  # which may stand class by class
            order = np.random.default_rng(seed).permutation(order)
        first = order[np.argsort(shown[order] == NO_LABEL, kind="stable")][: config.fit_texts]
        return fit_embedder(config, [rows[row] for row in first], shown[first])


def _embed(embedder: Embedder, rows: list[str] | np.ndarray) -> np.ndarray:
    return embedder.prepare(rows) if isinstance(rows, np.ndarray) else embedder.transform(rows)


def _divide(features: np.ndarray, logits: np.ndarray | None, labels: Labels, held: np.ndarray) -> dict[str, Split]:
    """Splits as stage train_student has them; without logits there is no pool, from which labels learn nothing."""
    given = np.zeros((len(features), len(labels.classes)), np.float32) if logits is None else logits
    training = labels.known & ~held
    chosen = {"train": training, "validation": held if held.any() else training}
    if logits is not None and not labels.known.all():
        chosen["pool"] = ~labels.known
    return {name: Split(features[rows], given[rows], labels.indices[rows]) for name, rows in chosen.items()}


def _check(kind: Any, values: dict[str, Any]) -> Any:
    """A config of `values`, checked as params.yaml is; NumPy's numbers count as Python's."""
    try:
        text = json.dumps(values, default=lambda value: value.item() if hasattr(value, "item") else str(value))
        return TypeAdapter(kind).validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}, got {first['input']}") from None
