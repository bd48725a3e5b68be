"""A student on a device beside its exact self, on the same texts.

In: classes said by both, the true ones.  Out: DeviceScores, compare_device(), estimate_share().
Imports: NumPy.
"""

from typing import NamedTuple

import numpy as np

from pipeline.evaluation.metrics import Integers, Interval, bootstrap_difference, compare_answers

NORMAL_975 = 1.959963984540054


class DeviceScores(NamedTuple):
    """Accuracy with Wilson's interval; the difference from the exact student's, paired; the share of equal labels."""

    accuracy: Interval
    difference: Interval
    agreement: float


def compare_device(truth: Integers, device: Integers, exact: Integers) -> DeviceScores:
    """Scores of what a device says of texts, beside what the exact student says of them."""
    found = compare_answers(truth, device, exact)
    return DeviceScores(
        estimate_share(int(np.sum(device == truth)), len(truth)),
        bootstrap_difference(found, len(truth)),
        float(np.mean(device == exact)),
    )


def estimate_share(hits: int, count: int) -> Interval:
    """The share of `hits` in `count` with its 95 % interval.

    Source: Wilson 1927, Journal of the American Statistical Association 22, 209-212.
    """
    share, square = hits / count, NORMAL_975**2
    middle = (share + square / (2 * count)) / (1 + square / count)
    margin = NORMAL_975 / (1 + square / count) * (share * (1 - share) / count + square / (4 * count**2)) ** 0.5
    return Interval(share, max(0.0, middle - margin), min(1.0, middle + margin))
