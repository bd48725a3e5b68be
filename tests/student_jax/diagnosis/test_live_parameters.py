import pytest

from student_jax.config import CircuitConfig, StudentConfig
from student_jax.diagnosis.live_parameters import count_angles, count_parameters

LAST_LAYER = CircuitConfig(layers=4)
CONE = CircuitConfig(layers=3, readout="first", rotations="tied")


@pytest.mark.parametrize(
    ("circuit", "angles", "dead"),
    [(LAST_LAYER, 304, 10 + 33), (CONE, 3 * 32, (33 - 12) + (30 - 8) + (33 - 8))],
)
def test_dead_angles_by_hand(circuit, angles, dead):
    """The last layer's RZZ and RZ; what lies outside the cone of two classes."""
    assert count_angles(circuit, 2) == (angles - dead, dead)


def test_a_qubit_outside_the_cone_takes_its_encoding_with_it():
    """By hand: six of eleven qubits are inside; the weights of 768 features and a bias for each of the other five."""
    live, dead = count_parameters(StudentConfig(circuit=CONE), 768, 2)
    assert dead == count_angles(CONE, 2).dead + 5 * 769
    assert live + dead == 11 * 769 + 96


def test_a_linear_readout_is_alive():
    """By hand: 8,459 of the encoding, 304 angles and 24 of the readout, of which 43 angles are dead."""
    assert count_parameters(StudentConfig(), 768, 2) == (8459 + 304 + 24 - 43, 43)
