"""What a student's confidence is worth: accuracy of the surest texts, and of a cascade that asks the teacher.

In: what one seed and its teacher say of validation and test.
Out: Said, judge(), tabulate_coverage(), measure_coverage_area(), measure_cascade(), STEPS.
Imports: NumPy.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluation.confidence import Cascade, CoverageStep, Sending
from pipeline.evaluation.metrics import bootstrap_accuracy, bootstrap_difference, compare_answers
from pipeline.evaluation.scoring import Predictions

# A curve has so many steps from none of the texts to all.
STEPS = 20

Truths = NDArray[np.bool_]


class Said(NamedTuple):
    """Of each text (rows,): the student's confidence, whether it is right, and whether its teacher is."""

    confidence: NDArray[np.floating]
    right: Truths
    teacher: Truths


def judge(split: Predictions, seed: int = 0) -> Said:
    """One seed's answers and the teacher's; confidence is the probability of the likeliest class."""
    said = split.student[seed]
    return Said(said.max(axis=1), said.argmax(axis=1) == split.labels, split.teacher.argmax(axis=1) == split.labels)


def tabulate_coverage(said: Said) -> list[CoverageStep]:
    """Accuracy on the surest texts, STEPS shares of all; texts of equal confidence are drawn at random."""
    confidence, hits = _rank(said)
    ends = np.unique(np.ceil(np.linspace(0, len(hits), STEPS + 1)[1:]).astype(int))
    return [
        CoverageStep(
            coverage=float(end / len(hits)),
            confidence=min(1.0, float(confidence[end - 1])),
            accuracy=min(1.0, float(hits[:end].mean())),
        )
        for end in ends
    ]


def measure_coverage_area(said: Said) -> float:
    """Area under the risk-coverage curve: the mean, over the number of texts answered, surest first, of their error.

    Source: Geifman, Uziel and El-Yaniv 2019, arXiv:1805.08206, section 3.
    """
    _, hits = _rank(said)
    return float(np.mean(1 - np.cumsum(hits) / np.arange(1, len(hits) + 1)))


def measure_cascade(validation: Said, test: Said) -> Cascade:
    """Send the texts of least confidence to the teacher: thresholds chosen on `validation`, judged on `test`."""
    rows = len(validation.right)
    parts = np.unique(np.round(np.linspace(0, rows, STEPS + 1)).astype(int))
    matching = _send(_match_teacher(validation), validation, test)
    teacher, cascade = test.teacher.astype(int), _ask(test, matching.threshold).astype(int)
    difference = bootstrap_difference(compare_answers(np.ones_like(teacher), cascade, teacher), len(teacher))
    return Cascade(
        curve=[_send(part, validation, test) for part in parts.tolist()],
        matching=matching,
        difference=difference.mean,
        difference_low=difference.low,
        difference_high=difference.high,
        student=float(test.right.mean()),
        teacher=float(teacher.mean()),
        validation_texts=rows,
        test_texts=len(teacher),
    )


def _rank(said: Said) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Confidences, falling, and the expected hits in their order: the mean among equals, whose order is nobody's."""
    values, places = np.unique(-said.confidence, return_inverse=True)
    means = np.bincount(places, said.right) / np.bincount(places)
    order = np.sort(places)
    return -values[order], means[order]


def _match_teacher(said: Said) -> int:
    """How many of the least sure texts must be sent, at the least, to be right as often as the teacher."""
    order = np.argsort(said.confidence, kind="stable")
    gains = np.cumsum(said.teacher[order].astype(int) - said.right[order])
    hits = said.right.sum() + np.concatenate([[0], gains])
    confidence = said.confidence[order]
    # A threshold parts no equals.
    parts = np.concatenate([[True], confidence[1:] > confidence[:-1], [True]])
    return int(np.flatnonzero(parts & (hits >= said.teacher.sum()))[0])


def _send(count: int, validation: Said, test: Said) -> Sending:
    """What comes of the threshold below which `count` texts of validation are; fewer, where more are equal."""
    threshold = _place_threshold(np.sort(validation.confidence), count)
    sent = np.ones(len(test.right), bool) if threshold is None else test.confidence < threshold
    hits = int(_ask(test, threshold).sum())
    accuracy = bootstrap_accuracy(hits, len(sent))
    share = float(sent.mean())
    return Sending(
        threshold=threshold,
        planned=count / len(validation.right),
        sent=share,
        accuracy=accuracy.mean,
        accuracy_low=accuracy.low,
        accuracy_high=accuracy.high,
        random=float((1 - share) * test.right.mean() + share * test.teacher.mean()),
    )


def _place_threshold(confidences: NDArray[np.floating], count: int) -> float | None:
    if count == len(confidences):
        return None
    return min(1.0, float(confidences[count])) if count else 0.0


def _ask(said: Said, threshold: float | None) -> Truths:
    """Whether the cascade is right, text by text."""
    return said.teacher if threshold is None else np.where(said.confidence < threshold, said.teacher, said.right)
