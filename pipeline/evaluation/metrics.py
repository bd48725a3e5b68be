"""How good a student is: accuracy, macro scores, calibration, closeness to its teacher, intervals over seeds, tests.

In: probabilities (rows, classes), class indices (rows,).  Out: plain numbers, lists and dicts, ready for JSON.
Imports: NumPy, SciPy.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, stdtrit

Floats = NDArray[np.floating]
Integers = NDArray[np.integer]

BINS = 15  # Guo et al. 2017, arXiv:1706.04599, section 5
# A true class that was given probability 0 costs -log(1e-12) = 27.6 nats and not infinity, which JSON cannot say.
SMALLEST_PROBABILITY = 1e-12
RESAMPLES = 10_000


class Interval(NamedTuple):
    """A mean and the ends of its 95 % confidence interval."""

    mean: float
    low: float
    high: float


class Discordance(NamedTuple):
    """Rows that one of two models alone has right, and McNemar's p-value of such a difference or a larger one."""

    first_alone: int
    second_alone: int
    p_value: float


def score(probabilities: Floats, labels: Integers, teacher: Floats | None = None) -> dict[str, float]:
    """All metrics of one model on one split.

    Args:
        probabilities: (rows, classes), each row sums to 1.
        labels: (rows,), the true classes.
        teacher: (rows, classes), the teacher's probabilities; with them come `agreement` and `kl` (in nats).
    """
    confusion = count_confusion(labels, probabilities.argmax(axis=1), probabilities.shape[1])
    precision, recall, f1 = average_classes(confusion)
    scores = {
        "accuracy": float(np.trace(confusion) / confusion.sum()),
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "ece": expected_calibration_error(probabilities, labels),
        "nll": negative_log_likelihood(probabilities, labels),
    }
    if teacher is not None:
        scores["agreement"] = float(np.mean(probabilities.argmax(axis=1) == teacher.argmax(axis=1)))
        scores["kl"] = mean_divergence(teacher, probabilities)
    return scores


def count_confusion(labels: Integers, predicted: Integers, classes: int) -> NDArray[np.int64]:
    """Confusion matrix (classes, classes): rows are true classes, columns predicted ones."""
    confusion = np.zeros((classes, classes), np.int64)
    np.add.at(confusion, (labels, predicted), 1)
    return confusion


def average_classes(confusion: NDArray[np.int64]) -> tuple[float, float, float]:
    """Precision, recall and F1 (equations 26 to 28), each the plain mean over all classes; 0 / 0 counts as 0."""
    hits = np.diag(confusion).astype(float)
    predicted, true = confusion.sum(axis=0), confusion.sum(axis=1)
    precision, recall = _divide(hits, predicted), _divide(hits, true)
    f1 = _divide(2 * hits, predicted + true)  # = 2 P R / (P + R), and defined where P = R = 0
    return float(precision.mean()), float(recall.mean()), float(f1.mean())


def tabulate_reliability(probabilities: Floats, labels: Integers, bins: int = BINS) -> list[dict[str, float]]:
    """Mean confidence, accuracy and count of the rows in each of `bins` equal bins ((k-1)/bins, k/bins] of confidence.

    Confidence is the probability of the predicted class. Empty bins are left out.
    """
    confidence = probabilities.max(axis=1).astype(float)
    correct = (probabilities.argmax(axis=1) == labels).astype(float)
    bin_of_row = np.clip(np.ceil(confidence * bins) - 1, 0, bins - 1).astype(int)
    counts = np.bincount(bin_of_row, minlength=bins)
    confidences = _divide(np.bincount(bin_of_row, confidence, bins), counts)
    accuracies = _divide(np.bincount(bin_of_row, correct, bins), counts)
    return [
        {"confidence": float(confidences[k]), "accuracy": float(accuracies[k]), "count": int(counts[k])}
        for k in np.flatnonzero(counts)
    ]


def expected_calibration_error(probabilities: Floats, labels: Integers, bins: int = BINS) -> float:
    """Mean over rows of |accuracy - confidence| of the row's bin.

    Source: Guo et al. 2017, arXiv:1706.04599, equation 3.
    """
    table = tabulate_reliability(probabilities, labels, bins)
    return sum(row["count"] * abs(row["accuracy"] - row["confidence"]) for row in table) / len(labels)


def negative_log_likelihood(probabilities: Floats, labels: Integers) -> float:
    """Mean of -log(probability of the true class), in nats; a probability below 1e-12 counts as 1e-12."""
    of_truth = probabilities[np.arange(len(labels)), labels].astype(float)
    return float(-np.log(np.maximum(of_truth, SMALLEST_PROBABILITY)).mean())


def mean_divergence(teacher: Floats, student: Floats) -> float:
    """Mean over rows of KL(teacher || student), in nats; 0 log 0 is 0, a student's probability below 1e-12 is 1e-12."""
    f, q = teacher.astype(float), np.maximum(student.astype(float), SMALLEST_PROBABILITY)
    return float(np.sum(f * np.log(np.where(f > 0, f, 1.0) / q), axis=1).mean())


def average_seeds(scores: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of every metric over the seeds, and the ends of the accuracy's 95 % interval."""
    means = {name: float(np.mean([one[name] for one in scores])) for name in scores[0]}
    interval = estimate_mean([one["accuracy"] for one in scores])
    return means | {"accuracy_low": max(0.0, interval.low), "accuracy_high": min(1.0, interval.high)}


def estimate_mean(values: Sequence[float]) -> Interval:
    """Mean with its 95 % interval by Student's t; a single value is its own interval, for it says nothing of spread."""
    mean, count = float(np.mean(values)), len(values)
    if count == 1:
        return Interval(mean, mean, mean)
    margin = float(stdtrit(count - 1, 0.975)) * float(np.std(values, ddof=1)) / count**0.5
    return Interval(mean, mean - margin, mean + margin)


def compare_answers(labels: Integers, first: Integers, second: Integers) -> Discordance:
    """McNemar's exact test, two-sided: are two models right equally often on the same rows?

    Rows that both have right, or both wrong, say nothing; of the others each model has half if they are equally good.

    Args:
        labels: (rows,), the true classes.
        first: (rows,), the classes that one model predicts.
        second: (rows,), those of the other.

    Source: McNemar 1947, Psychometrika 12, 153-157.
    """
    one, other = first == labels, second == labels
    alone = int(np.sum(one & ~other)), int(np.sum(other & ~one))
    # Both tails of a fair coin are alike: twice the smaller. scipy.stats, which has the test, takes a second to import.
    p_value = min(1.0, 2 * float(bdtr(min(alone), sum(alone), 0.5)))
    return Discordance(*alone, p_value)


def bootstrap_difference(found: Discordance, texts: int) -> Interval:
    """The first model's accuracy less the second's, with the 95 % interval of the paired bootstrap over `texts` rows.

    To draw rows anew is to draw anew how many the one, the other and neither has right alone; the seed is fixed.
    Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 13 (percentiles).
    """
    alone = np.array([found.first_alone, found.second_alone, texts - found.first_alone - found.second_alone])
    drawn = np.random.default_rng(0).multinomial(texts, alone / texts, RESAMPLES)
    low, high = np.percentile((drawn[:, 0] - drawn[:, 1]) / texts, (2.5, 97.5))
    return Interval(float(alone[0] - alone[1]) / texts, float(low), float(high))


def bootstrap_accuracy(hits: int, texts: int) -> Interval:
    """Accuracy with the 95 % interval of the bootstrap over `texts` rows; the seed is fixed."""
    drawn = np.random.default_rng(0).binomial(texts, hits / texts, RESAMPLES)
    low, high = np.percentile(drawn / texts, (2.5, 97.5))
    return Interval(hits / texts, float(low), float(high))


def adjust_p_values(p_values: Sequence[float]) -> list[float]:
    """Holm's adjustment: below 5 %, a difference is one even though so many were looked for.

    The k-th smallest of n is multiplied by n - k + 1, and none may end below a smaller one.
    Source: Holm 1979, Scandinavian Journal of Statistics 6, 65-70.
    """
    order = np.argsort(p_values, kind="stable")
    grown = np.sort(p_values) * np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(grown), 1.0)
    return [float(value) for value in adjusted]


def _divide(numerator: NDArray[np.number], denominator: NDArray[np.number]) -> Floats:
    """Quotient with 0 / 0 = 0."""
    return numerator / np.maximum(denominator, 1)
