"""A trained rival against its teacher: all that the report tells of it.

In: dataset, manifest, a Model and its Training.  Out: summarise_rival().  Imports: student_jax; no torch.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import jax
import numpy as np
from scipy.special import softmax

from pipeline.evaluation.scoring import Predictions, compare
from student_jax.comparators.comparator_config import BaselineConfig, Method
from student_jax.comparators.network import count_inference
from student_jax.data.dataset import EVALUATED, Split
from student_jax.model import Model, count_trainable, time_scoring
from student_jax.training.best_epochs import Training
from teacher_cache.manifest import Manifest


def summarise_rival(
    method: Method,
    model: Model,
    training: Training,
    config: BaselineConfig,
    dataset: Mapping[str, Split],
    manifest: Manifest,
) -> tuple[dict[str, Any], np.ndarray]:
    """Metrics, sizes and costs of a rival; and the selected seed's classes of the test split."""
    said = {name: softmax(training.score(training.parameters, dataset[name].features), axis=-1) for name in EVALUATED}
    splits = {
        name: Predictions(said[name], softmax(dataset[name].logits, axis=1), dataset[name].labels) for name in EVALUATED
    }
    trainable = count_trainable(model)
    compared = compare(splits, training.seeds, training.selected, trainable)
    selected = jax.tree.map(lambda array: array[training.selected : training.selected + 1], training.parameters)
    test = dataset["test"].features
    summary = {
        "task": manifest.task,
        "teacher": manifest.teacher,
        "method": method,
        "labels": list(manifest.labels),
        "metrics": {name: {"baseline": found["student"]} for name, found in compared["metrics"].items()},
        "seeds": compared["seeds"],
        "parameters": {"trainable": trainable, "inference": count_inference(selected)},
        "seconds_per_epoch": training.seconds_per_epoch,
        "inference_seconds": time_scoring(training.score, selected, test),
        "inference_texts": len(test),
        "size": config.size,
        "settings": asdict(config),
        "curves": [row._asdict() for row in training.curves],
    }
    return summary, said["test"][training.selected].argmax(axis=1)
