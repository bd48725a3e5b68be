"""Shares with their intervals."""

import numpy as np
import pytest
from scipy.stats import binomtest

from pipeline.evaluation.device_scores import compare_device, estimate_share


@pytest.mark.parametrize(("hits", "count"), [(0, 10), (169, 200), (200, 200)])
def test_the_interval_is_scipys(hits, count):
    expected = binomtest(hits, count).proportion_ci(method="wilson")
    found = estimate_share(hits, count)
    assert found == pytest.approx((hits / count, expected.low, expected.high))


def test_a_device_beside_the_exact_student_by_hand():
    """Of four texts both have two right, the device a third one that the exact student has wrong."""
    truth, device, exact = (np.array(row) for row in ([0, 1, 1, 0], [0, 1, 1, 1], [0, 1, 0, 1]))
    found = compare_device(truth, device, exact)
    assert found.accuracy.mean == 0.75
    assert found.difference.mean == 0.25
    assert found.agreement == 0.75
