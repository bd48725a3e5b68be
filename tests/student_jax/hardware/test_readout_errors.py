"""Readout errors of known size are measured and taken back."""

import numpy as np
import pytest

from student_jax.hardware.readout_errors import estimate_confusion, mitigate
from student_jax.hardware.sent_circuit import average_parities
from teacher_cache.errors import UserError


def test_confusion_by_hand():
    """Of 100 zeros bit 0 is read as 1 five times; of 100 ones bit 1 is read as 0 twenty times."""
    found = estimate_confusion({"00": 95, "10": 5}, {"11": 80, "10": 20})
    assert found.tolist() == pytest.approx(np.array([[[0.95, 0], [0.05, 1]], [[1, 0.2], [0, 0.8]]]))


def test_all_strings_corrected_are_the_tensor_products_inverse():
    """Where all strings have come, M3 is the inverse of the whole matrix: it gives the truth back."""
    confusion = np.array([[[0.95, 0.1], [0.05, 0.9]], [[0.97, 0.2], [0.03, 0.8]]])
    truth = np.array([0.5, 0.1, 0.15, 0.25])  # of 00, 01, 10, 11, first bit first
    read = np.kron(*confusion) @ truth
    counts = {string: round(share * 10**9) for string, share in zip(["00", "01", "10", "11"], read, strict=True)}
    (found,) = mitigate([counts], confusion)
    np.testing.assert_allclose([found[string] for string in sorted(found)], truth, atol=1e-6)
    parities = np.array([[True, False], [True, True]])
    np.testing.assert_allclose(average_parities(parities, found), [0.2, 0.5], atol=1e-6)


def test_a_bit_that_says_nothing_is_refused():
    with pytest.raises(UserError, match=r"bit must tell 0 from 1 to be mitigated, got errors 1\.00 in sum at bit 1"):
        estimate_confusion({"00": 50, "01": 50}, {"11": 50, "10": 50})
