"""What stages compare and compare_texts share: their options, and their end, the Comparison of one trained comparator.

In: what was learned, dataset, manifest.  Out: take_options(), Outs, publish_comparison(), summarise_comparator().
Imports: click, student_jax; no torch.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipeline.entry import PATH, Function, require, write_record
from pipeline.evaluation.answers import write_answers
from pipeline.evaluation.predictions import count_training, predict_splits, score_splits
from pipeline.evaluation.scoring import average_scores, score_seeds
from pipeline.evaluation.summary import Comparison, Epoch, Parameters, list_metrics, write_summary
from student_jax.comparators.learned import Learned
from student_jax.data.dataset import Split
from student_jax.model import time_scoring
from teacher_cache.manifest import Manifest
from teacher_cache.publish import publish_folder, write_json


class Outs(NamedTuple):
    """Where a stage publishes: the folder of the comparison, its metrics and its record."""

    comparison: Path
    metrics: Path
    record: Path


def take_options(reads: str) -> Callable[[Function], Function]:
    """Decorate a stage that trains a comparator on what is in the folder --`reads`; its Outs come by name."""

    def decorate(function: Function) -> Function:
        paths = require(reads, "cache", "compiled", *Outs._fields, kind=PATH)
        return require("task", "teacher", "comparator")(paths(function))

    return decorate


def publish_comparison(
    outs: Outs,
    stage: str,
    name: str,
    learned: Learned,
    dataset: Mapping[str, Split],
    manifest: Manifest,
    frozen: int = 0,
    **facts: Any,
) -> None:
    """Publish what `summarise_comparator` says of what was learned, then metrics and record of the `stage`."""
    summary, probabilities = summarise_comparator(name, learned, dataset, manifest, frozen, **facts)
    test = dataset["test"]
    with publish_folder(outs.comparison) as folder:
        write_summary(folder / "comparison.json", summary)
        write_answers(folder / "answers.parquet", test.ids, test.labels, probabilities)
    write_json(outs.metrics, list_metrics(summary))
    write_record(outs.record, stage, task=manifest.task, teacher=manifest.teacher, comparator=name)


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
    splits = predict_splits(score_splits(training.score, training.parameters, dataset), dataset)
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
        trained_on=count_training(dataset, learned.config.pool),
        cache=manifest.fingerprint,
        **facts,
    )
    return summary, splits["test"].student[training.selected]
