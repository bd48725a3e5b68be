import numpy as np
import pytest

from student_jax.config import CircuitConfig
from student_jax.diagnose import count_dead, measure_gradient_variance


@pytest.mark.parametrize(
    ("settings", "dead"),
    [
        ({"layers": 4}, 10 + 33),  # the last layer's RZZ and RZ
        ({"layers": 3, "readout": "first", "rotations": "tied"}, (33 - 12) + (30 - 8) + (33 - 8)),
    ],
)
def test_dead_angles_by_hand(settings, dead):
    assert count_dead(CircuitConfig(**settings), 2) == dead


def test_gradient_variance_of_one_layer():
    """By hand: <Z_0> = cos(theta) cos(z), so the variance of sin(theta) cos(z) over random angles is 1/2 1/2.

    theta is a sum of uniform angles, uniform again.  Standard error of 2,000 samples: 0.25 sqrt(1.25 / 2000) = 0.006.
    """
    variance = measure_gradient_variance(CircuitConfig(qubits=2, layers=1), 2, samples=2000)
    np.testing.assert_allclose(variance, 0.25, atol=0.025)
