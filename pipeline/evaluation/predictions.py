"""What a trained model says of what nothing was trained on, and what the features that it reads have seen.

In: a scorer and parameters, the dataset, a folder of features.
Out: score_splits(), predict_splits(), count_training(), read_embedder(), sees_labels().
Imports: student_jax; no torch.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.evaluation.scoring import Predictions
from pipeline.evaluation.summary import TrainedOn
from student_jax.calibration import soften
from student_jax.data.dataset import EVALUATED, Split
from student_jax.data.embedder import DESCRIPTION as EMBEDDER
from student_jax.data.training_rows import POOL, limit_pool
from student_jax.model import Score
from teacher_cache.schema import NO_LABEL


def score_splits(score: Score, parameters: Any, dataset: Mapping[str, Split]) -> dict[str, np.ndarray]:
    """The scores (seeds, rows, classes) of validation and test."""
    return {name: score(parameters, dataset[name].features) for name in EVALUATED}


def predict_splits(
    scores: Mapping[str, np.ndarray], dataset: Mapping[str, Split], temperature: float = 1.0
) -> dict[str, Predictions]:
    """What every seed and the teacher say of validation and test, the seeds at `temperature`."""
    return {
        name: Predictions(soften(said, temperature), soften(dataset[name].logits, 1.0), dataset[name].labels)
        for name, said in scores.items()
    }


def count_training(dataset: Mapping[str, Split], pool: int | None) -> TrainedOn:
    """How many texts are trained on, by whether they have a label, where at most `pool` are of the pool (None: all)."""
    used = limit_pool(dataset, pool)
    labels = np.concatenate([used[name].labels for name in ("train", POOL) if name in used])
    labelled = int(np.sum(labels != NO_LABEL))
    return TrainedOn(labelled=labelled, pool=len(labels) - labelled)


def read_embedder(folder: Path) -> dict[str, Any]:
    """What embedder.json says of the features in `folder`, or of those that the student in it was trained on."""
    found: dict[str, Any] = json.loads((folder / EMBEDDER).read_text(encoding="utf-8"))
    return found


def sees_labels(embed: Mapping[str, Any]) -> bool | None:
    """Whether features of the configuration `embed` were fitted to the labels; None of vectors that a user brought."""
    if embed["kind"] == "file":
        return None
    return bool(embed["kind"] == "corpus" and embed["class_weights"])
