"""The small models of a report, student and rivals alike, and what several of them measure on average.

In: summaries.  Out: Model, list_models, read_seeds, average, average_score, average_cost.
Imports: pipeline.evaluation.metrics.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.evaluation.metrics import estimate_mean
from pipeline.report.paper.beside import Ours
from pipeline.report.paper.published import METHODS, STUDENT
from pipeline.report.summary_checks import Summary

Scores = Mapping[str, float]


@dataclass(frozen=True)
class Model:
    """One method on one task and teacher: its seeds' scores of the test split by seed, its size and its costs.

    `whole` is what was written about it: a summary's student, or a rival's summary.
    """

    task: str
    teacher: str
    method: str
    seeds: Mapping[int, Scores]
    trained_parameters: int
    inference_parameters: int
    epochs: int
    whole: Mapping[str, Any]

    @property
    def seconds_per_epoch(self) -> float:
        """Seconds of a training epoch, all seeds side by side."""
        return float(self.whole["seconds_per_epoch"])

    @property
    def inference_seconds(self) -> float:
        """Seconds of inference for 1,000 texts."""
        return float(self.whole["inference_seconds"]) / self.whole["inference_texts"] * 1000


def list_models(summary: Summary) -> Iterator[Model]:
    """The student, then the rivals in the paper's order."""
    names = {"task": summary["task"], "teacher": summary["teacher"]}
    student = summary["student"]
    yield Model(
        **names,
        method=STUDENT,
        seeds=read_seeds(summary["seeds"]),
        trained_parameters=student["trainable_parameters"],
        inference_parameters=student["inference_parameters"],
        epochs=_count_epochs(summary),
        whole=student,
    )
    for name, title in METHODS.items():
        if rival := summary["baselines"].get(name):
            yield Model(
                **names,
                method=title,
                seeds=read_seeds(rival["seeds"]),
                trained_parameters=rival["parameters"]["trainable"],
                inference_parameters=rival["parameters"]["inference"],
                epochs=_count_epochs(rival),
                whole=rival,
            )


def read_seeds(seeds: Sequence[Mapping[str, Any]]) -> dict[int, Scores]:
    """Each seed's scores of the test split by the seed's number."""
    return {one["seed"]: one["test"] for one in seeds}


def average(models: Sequence[Model], value: Callable[[Model, Scores], float]) -> Ours:
    """The mean over the models of `value`, with its interval over the seeds that all of them have; None of no model.

    Each seed is averaged over the models first, so that the interval is that of the seeds alone.
    """
    shared = sorted(set.intersection(*(set(model.seeds) for model in models))) if models else []
    values = [float(np.mean([value(model, model.seeds[seed]) for model in models])) for seed in shared]
    if not values:
        return None
    return estimate_mean(values) if len(values) > 1 else values[0]


def average_score(models: Sequence[Model], key: str) -> Ours:
    """The mean over the models of one of their scores, as `average` makes it."""
    return average(models, lambda _, scores: scores[key])


def average_cost(models: Sequence[Model], cost: Callable[[Model], float]) -> float | None:
    """The mean over the models of a cost that has no seeds; None of no model."""
    return float(np.mean([cost(model) for model in models])) if models else None


def _count_epochs(whole: Mapping[str, Any]) -> int:
    return max(row["epoch"] for row in whole["curves"])
