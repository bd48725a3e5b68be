"""One part: a model tuned and trained in a unit, and what it says of every test text.

In: a part, the unit's folder and features.  Out: train_part(), describe_unit().  Imports: jax, NumPy, SciPy.
"""

import time
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import softmax

from pipeline.params import parse
from student_jax.comparators.all_labels import reveal_labels
from student_jax.comparators.comparator_config import FeatureConfig
from student_jax.comparators.feature_comparators import learn_from_features
from student_jax.comparators.logistic import fit_affine
from student_jax.config import CircuitConfig, LossConfig, StudentConfig
from student_jax.data.dataset import Split, open_dataset
from student_jax.data.training_rows import HIDDEN, count_rows, join_pool
from student_jax.model import build_model, count_trainable
from student_jax.training.losses import isolate_term
from student_jax.training.temperature import minimise_loss
from student_jax.training.tuning import tune
from teacher_cache.reader import open_cache
from tests.benchmarks.evidence.lelp import learn_subclasses
from tests.benchmarks.evidence.parts import Part
from tests.benchmarks.evidence.teacher import TEACHER, Settings

STRENGTHS = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
CEILING_SEEDS = 3
Dataset = Mapping[str, Split]


def describe_unit(folder: Path) -> dict[str, Any]:
    """Rows by split, the test texts' classes, what the teacher says of them, and what the teacher is."""
    opened = open_cache(folder / "cache", {})
    rows = opened.read()
    test = rows.split == 2
    identity = opened.manifest.identity
    return {
        "rows": {
            name: int((rows.split == index).sum()) for index, name in enumerate(("train", "validation", "test", "pool"))
        },
        "classes": to_digits(rows.label[test]),
        "teacher": to_digits(rows.logits[test].argmax(axis=1)),
        "labels": list(opened.manifest.labels),
        "base": {key: identity["base"].get(key) for key in ("model", "weights", "dtype", "parameters")},
        "dtype": identity["dtype"],
        "examples": identity["examples"],
    }


def train_part(part: Part, folder: Path, features: Path, settings: Settings) -> dict[str, Any]:
    """Tune, train and ask: accuracy of every seed on the test split, and the selected seed's answers.

    Test texts choose nothing: validation chooses setting, epoch and seed.
    """
    started = time.perf_counter()
    dataset, _ = open_dataset(features, folder / "cache", part.unit.task, TEACHER)
    config = parse(settings.student, StudentConfig, "student")
    if part.how == "all_labels":
        dataset = reveal_labels(dataset, folder / "data" / HIDDEN, part.unit.task)
    if part.how == "distilled":
        config = replace(config, pool=part.pool)
    else:
        config = replace(config, pool=None if part.how == "all_labels" else 0, loss=isolate_term("ce", config.loss))
    label = f"evidence: {part.name}"
    if part.model == "logistic":
        found = fit_logistic(dataset, config)
    elif part.model == "lelp":
        found = learn_subclasses(dataset, config, folder / "cache", settings.seed, label)
    else:
        found = train_network(part, dataset, config, settings.seed, label)
    scores, selected, setting, parameters = found
    truth, predicted = dataset["test"].labels, scores.argmax(axis=-1)
    return {
        "accuracy": [float((said == truth).mean()) for said in predicted],
        "selected": selected,
        "answers": to_digits(predicted[selected]),
        "setting": setting,
        "parameters": parameters,
        "pool": count_rows(dataset, config.pool) - len(dataset["train"].labels) if part.how == "distilled" else 0,
        "seconds": round(time.perf_counter() - started, 1),
    }


def train_network(part: Part, dataset: Dataset, config: StudentConfig, seed: int, label: str) -> Any:
    """The student, or the MLP of its size: scores (seeds, rows, classes), the selected seed, its setting, its size."""
    test, classes = dataset["test"], dataset["test"].logits.shape[1]
    if part.circuit:
        circuit = CircuitConfig(qubits=part.circuit[0], layers=part.circuit[1])
        config = replace(config, circuit=circuit, seeds=CEILING_SEEDS, grid={})
    if part.model == "mlp":
        names = {one.name for one in fields(FeatureConfig)} - {"engine"}
        own = FeatureConfig(**{name: getattr(config, name) for name in names})
        learned = learn_from_features(
            "mlp", replace(own, seeds=CEILING_SEEDS, grid={}), config.circuit, dataset, seed, label
        )
        training, tuning, size = learned.training, learned.tuning, learned.trainable
    else:

        def build(setting: StudentConfig) -> Any:
            return build_model(setting, test.features.shape[1], classes)

        chosen, training, tuning = tune(config, build, dataset, seed, label)
        size = count_trainable(build(chosen))
    scores = np.asarray(training.score(training.parameters, test.features))
    return scores, training.selected, tuning.settings[tuning.chosen].values, size


def fit_logistic(dataset: Dataset, config: StudentConfig) -> Any:
    """Logistic regression on what the student learns from: labels, and the teacher's probabilities where they count.

    A row's target is `soft` times the teacher's and `hard` times the label's distribution, its weight their sum, as in
    the student's loss; of the strengths the one with the smallest cross entropy of such targets on validation.
    """
    rows, validation, loss = join_pool(dataset, config.pool), dataset["validation"], config.loss
    known = np.ones(len(rows.labels), bool) if rows.known is None else np.asarray(rows.known)
    targets = _weigh_targets(rows, known, loss)
    if not loss.soft:
        rows, targets = rows._replace(features=rows.features[known]), targets[known]
    fits = [fit_affine(rows.features[:], targets, strength) for strength in STRENGTHS]
    inside, wanted = validation.features[:], _weigh_targets(validation, np.ones(len(validation.labels), bool), loss)
    losses = [minimise_loss(inside @ weight + bias, wanted)[1] for weight, bias in fits]
    best = int(np.argmin(losses))
    weight, bias = fits[best]
    return (dataset["test"].features[:] @ weight + bias)[None], 0, {"C": STRENGTHS[best]}, weight.size + bias.size


def _weigh_targets(rows: Split, known: np.ndarray, loss: LossConfig) -> np.ndarray:
    targets = loss.soft * softmax(rows.logits.astype(float), axis=1)
    targets[known] += loss.hard * np.eye(targets.shape[1])[rows.labels[known]]
    return targets


def to_digits(classes: Any) -> str:
    """Classes, ten at most, as one digit each."""
    return "".join(map(str, np.asarray(classes).tolist()))
