"""One trial of LELP: the teacher's classes cut into subclasses by its own hidden states, which the student learns.

In: a dataset, a cache with hidden states.  Out: learn_subclasses().  Imports: jax, NumPy.

Source: arXiv:2409.20449 (2024). The states of a class's texts are projected on their first principal directions, and
those projections, scaled, are added to the class's logit. A class's probability is the sum over its
subclasses, so that the teacher's own probabilities are kept.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import log_softmax, logsumexp

from student_jax.config import StudentConfig
from student_jax.data.dataset import Split
from student_jax.model import build_model, count_trainable
from student_jax.training.tuning import tune
from teacher_cache.reader import open_cache
from teacher_cache.schema import NO_LABEL

DIRECTIONS = 2  # each gives two subclasses, one for either side


def learn_subclasses(
    dataset: Mapping[str, Split], config: StudentConfig, cache: Path, seed: int, label: str
) -> tuple[np.ndarray, int, dict[str, Any], int]:
    """What train_network() returns, of a student that learns the subclasses by the very loss of the others.

    A labelled text's hard class is the likeliest subclass of its label.
    """
    opened = open_cache(cache, {})
    rows = opened.read()
    states = opened.hidden_layer(rows, opened.manifest.identity["hidden_layers"][-1]).astype(np.float64)
    places = {row.tobytes(): place for place, row in enumerate(rows.example_id)}
    of_split = {name: states[[places[row.tobytes()] for row in split.ids]] for name, split in dataset.items()}
    fitted = np.concatenate([of_split[name] for name in ("train", "pool") if name in of_split])
    said = np.concatenate([dataset[name].logits.argmax(1) for name in ("train", "pool") if name in of_split])
    classes = dataset["train"].logits.shape[1]
    bases = [_find_directions(fitted[said == index]) for index in range(classes)]
    cut = {name: _cut(split, of_split[name], bases) for name, split in dataset.items()}

    def build(setting: StudentConfig) -> Any:
        return build_model(setting, dataset["test"].features.shape[1], classes * 2 * DIRECTIONS)

    chosen, training, tuning = tune(config, build, cut, seed, label)
    scores = np.asarray(training.score(training.parameters, dataset["test"].features))
    whole = logsumexp(scores.reshape(*scores.shape[:2], classes, -1), axis=-1)
    return whole, training.selected, tuning.settings[tuning.chosen].values, count_trainable(build(chosen))


def _find_directions(states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean of a class's states, and its first principal directions, each divided by the spread along it."""
    mean = states.mean(axis=0)
    _, spread, axes = np.linalg.svd(states - mean, full_matrices=False)
    return mean, axes[:DIRECTIONS] / (spread[:DIRECTIONS, None] / len(states) ** 0.5 + 1e-9)


def _cut(split: Split, states: np.ndarray, bases: list[tuple[np.ndarray, np.ndarray]]) -> Split:
    logits, width = [], 2 * DIRECTIONS
    for index, (mean, axes) in enumerate(bases):
        along = (states - mean) @ axes.T
        inside = log_softmax(np.concatenate([along, -along], axis=1), axis=1)
        logits.append(split.logits[:, index : index + 1] + inside)
    joined = np.concatenate(logits, axis=1).astype(np.float32)
    known = split.labels != NO_LABEL
    best = np.stack([block.argmax(axis=1) for block in logits], axis=1)
    labels = split.labels.copy()
    labels[known] = split.labels[known] * width + best[known, split.labels[known]]
    return split._replace(logits=joined, labels=labels)
