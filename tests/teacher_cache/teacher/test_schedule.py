"""Warmup and decay against values found by hand."""

import pytest

from teacher_cache.teacher.schedule import learning_rate


def test_by_hand():
    """10 steps, 4 of them rising: 1/4 ... 4/4, then 6/6 ... 1/6 of the peak."""
    rates = [learning_rate(12.0, step, 10, 0.4) for step in range(10)]
    assert rates == pytest.approx([3, 6, 9, 12, 12, 10, 8, 6, 4, 2])


def test_without_warmup_it_starts_at_the_peak():
    assert learning_rate(0.5, 0, 3, 0.0) == 0.5
