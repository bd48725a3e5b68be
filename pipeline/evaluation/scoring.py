"""Student against teacher: every number that the metrics file and the report have of a pair.

In: probabilities of all seeds, the teacher's, the labels.  Out: Predictions, compare(), average_control(),
score_answers().
Imports: NumPy; no torch, no jax.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.evaluation.metrics import average_seeds, count_confusion, score, tabulate_reliability


@dataclass(frozen=True)
class Predictions:
    """What student and teacher say of one split.

    student: (seeds, rows, classes) probabilities.  teacher: (rows, classes).  labels: (rows,) class indices.
    """

    student: np.ndarray
    teacher: np.ndarray
    labels: np.ndarray

    def score_seeds(self) -> list[dict[str, float]]:
        """All metrics of each seed."""
        return [score(probabilities, self.labels, self.teacher) for probabilities in self.student]


def compare(splits: Mapping[str, Predictions], seeds: Sequence[int], selected: int, parameters: int) -> dict[str, Any]:
    """Metrics by split, the seeds' own, and confusion and reliability of the selected seed on the test split.

    Args:
        splits: `validation` and `test`.
        seeds: the number of each seed, in the order of the predictions.
        selected: index of the seed that was chosen on validation.
        parameters: how many the student trains.
    """
    scores = {name: split.score_seeds() for name, split in splits.items()}
    test = splits["test"]
    sides = {"teacher": test.teacher, "student": test.student[selected]}
    return {
        "metrics": {
            name: {
                "teacher": score(split.teacher, split.labels),
                "student": {**average_seeds(scores[name]), "trainable_parameters": parameters},
            }
            for name, split in splits.items()
        },
        "seeds": [{"seed": seed, **{name: scores[name][index] for name in splits}} for index, seed in enumerate(seeds)],
        "confusion": {
            side: count_confusion(test.labels, found.argmax(axis=1), found.shape[1]).tolist()
            for side, found in sides.items()
        },
        "reliability": {side: tabulate_reliability(found, test.labels) for side, found in sides.items()},
    }


def average_control(test: Predictions, parameters: int) -> dict[str, Any]:
    """A control's metrics on the test split: the mean over its seeds, and each seed's accuracy."""
    scores = test.score_seeds()
    return {
        "test": {**average_seeds(scores), "trainable_parameters": parameters},
        "trainable_parameters": parameters,
        "accuracies": [one["accuracy"] for one in scores],
    }


def score_answers(answers: Mapping[int, np.ndarray], test: Predictions) -> dict[str, Any]:
    """The scores of the test split by seed, of each seed's probabilities (rows, classes)."""
    return {"seeds": [{"seed": seed, "test": score(said, test.labels, test.teacher)} for seed, said in answers.items()]}


def tabulate_confusion(confusion: Sequence[Sequence[int]], labels: Sequence[str]) -> list[dict[str, str]]:
    """One row for each test text, as DVC's confusion template counts them: its class and the one it was given."""
    return [
        {"actual": actual, "predicted": predicted}
        for actual, row in zip(labels, confusion, strict=True)
        for predicted, count in zip(labels, row, strict=True)
        for _ in range(count)
    ]
