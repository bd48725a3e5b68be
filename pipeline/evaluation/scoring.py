"""Student against teacher: every number that the metrics file and the report have of a pair.

In: probabilities of all seeds, the teacher's, the labels.  Out: Predictions, score_seeds(), average_scores(),
score_teacher(), count_sides(), tabulate_confusion().
Imports: NumPy; no torch, no jax.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from pipeline.evaluation.metrics import average_seeds, count_confusion, score, tabulate_reliability
from pipeline.evaluation.summary import (
    Bin,
    Means,
    MeanScores,
    Reliability,
    Scores,
    SeedScores,
    Sides,
    StudentScores,
    TeacherScores,
)


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


def score_seeds(splits: Mapping[str, Predictions], seeds: Sequence[int]) -> list[SeedScores]:
    """Every seed's scores.

    Args:
        splits: `validation` and `test`.
        seeds: the number of each seed, in the order of the predictions.
    """
    scores = {name: [StudentScores(**one) for one in split.score_seeds()] for name, split in splits.items()}
    return [SeedScores(seed=seed, **{name: scores[name][k] for name in splits}) for k, seed in enumerate(seeds)]


def average_scores(seeds: Sequence[SeedScores]) -> Means:
    """The means over the seeds, with the interval of the mean accuracy."""
    validation = average_seeds([asdict(one.validation) for one in seeds])
    test = average_seeds([asdict(one.test) for one in seeds])
    return Means(validation=MeanScores(**validation), test=MeanScores(**test))


def score_teacher(splits: Mapping[str, Predictions]) -> TeacherScores:
    """The teacher's scores."""
    return TeacherScores(**{name: Scores(**score(split.teacher, split.labels)) for name, split in splits.items()})


def count_sides(test: Predictions, selected: int, calibrated: np.ndarray | None = None) -> tuple[Sides, Reliability]:
    """Confusion and reliability of the teacher and of the seed at the place `selected`.

    Args:
        test: at temperature 1.
        selected: the chosen seed's place.
        calibrated: that seed's probabilities (rows, classes) at its own temperature, where it has one.
    """
    sides = {"teacher": test.teacher, "student": test.student[selected]}
    confusion = {
        side: count_confusion(test.labels, said.argmax(axis=1), said.shape[1]).tolist() for side, said in sides.items()
    }
    said_last = {} if calibrated is None else {"calibrated": calibrated}
    bins = {side: _bin(said, test.labels) for side, said in {**sides, **said_last}.items()}
    return Sides(**confusion), Reliability(**bins)


def tabulate_confusion(confusion: Sequence[Sequence[int]], labels: Sequence[str]) -> list[dict[str, str]]:
    """One row for each test text, as DVC's confusion template counts them: its class and the one it was given."""
    return [
        {"actual": actual, "predicted": predicted}
        for actual, row in zip(labels, confusion, strict=True)
        for predicted, count in zip(labels, row, strict=True)
        for _ in range(count)
    ]


def _bin(said: np.ndarray, labels: np.ndarray) -> list[Bin]:
    return [
        Bin(confidence=row["confidence"], accuracy=row["accuracy"], count=int(row["count"]))
        for row in tabulate_reliability(said, labels)
    ]
