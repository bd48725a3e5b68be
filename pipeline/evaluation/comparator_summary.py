"""A trained comparator on what nothing was trained on: the Comparison of one task, teacher and comparator.

In: what was learned, dataset, manifest.  Out: summarise_comparator(), write_comparison().
Imports: student_jax; no torch.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.evaluation.answers import write_answers
from pipeline.evaluation.predictions import predict_splits
from pipeline.evaluation.scoring import average_scores, score_seeds
from pipeline.evaluation.summary import Comparison, Epoch, Parameters, list_metrics, write_summary
from student_jax.comparators.learned import Learned
from student_jax.data.dataset import Split
from student_jax.model import time_scoring
from teacher_cache.manifest import Manifest
from teacher_cache.publish import publish_folder, write_json


def summarise_comparator(
    name: str, learned: Learned, dataset: Mapping[str, Split], manifest: Manifest, frozen: int = 0, **facts: Any
) -> tuple[Comparison, np.ndarray]:
    """All that is told of a comparator; and the probabilities (rows, classes) of its chosen seed for the test split.

    Args:
        name: of the comparator.
        learned: what it became.
        dataset: splits by name.
        manifest: of the cache that it learned from.
        frozen: how many numbers of the features' a prediction needs besides its own.
        **facts: other fields of Comparison.
    """
    training = learned.training
    splits = predict_splits(training.score, training.parameters, dataset)
    seeds = score_seeds(splits, training.seeds)
    test = dataset["test"].features
    summary = Comparison(
        task=manifest.task,
        teacher=manifest.teacher,
        comparator=name,
        labels=list(manifest.labels),
        parameters=Parameters(trainable=learned.trainable, inference=learned.inference + frozen),
        settings=asdict(learned.config),
        tuning=learned.tuning,
        seeds=seeds,
        selected_seed=training.seeds[training.selected],
        metrics=average_scores(seeds),
        curves=[Epoch(**row._asdict()) for row in training.curves],
        seconds_per_epoch=training.seconds_per_epoch,
        inference_seconds=time_scoring(training.score, learned.selected_parameters, test),
        inference_texts=len(test),
        cache=manifest.fingerprint,
        **facts,
    )
    return summary, splits["test"].student[training.selected]


def write_comparison(folder: Path, metrics: Path, summary: Comparison, test: Split, probabilities: np.ndarray) -> None:
    """Publish the folder of a comparison, then its metrics."""
    with publish_folder(folder) as temporary:
        write_summary(temporary / "comparison.json", summary)
        write_answers(temporary / "answers.parquet", test.ids, test.labels, probabilities)
    write_json(metrics, list_metrics(summary))
