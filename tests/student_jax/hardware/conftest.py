"""A small student, texts, and IBM's service as a folder of jobs that outlive the process that sent them."""

import numpy as np
import pytest

from tests.student_jax.hardware.stored_service import draw_student


@pytest.fixture(scope="session")
def student():
    return draw_student()


@pytest.fixture(scope="session")
def texts():
    """Features and ids of five texts."""
    random = np.random.default_rng(1)
    return random.normal(size=(5, 4)), np.array([bytes([k]) * 16 for k in range(5)], "V16")
