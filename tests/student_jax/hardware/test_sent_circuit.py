"""What is sent has the values of the whole circuit, with fewer gates."""

from collections import Counter

import numpy as np
import pytest

from student_jax.circuit.gates import fill_angles
from student_jax.circuit.qnode import build_qnode
from student_jax.config import CircuitConfig
from student_jax.hardware.sent_circuit import average_parities, exact_values, shorten_circuit, tie_angles
from teacher_cache.errors import UserError

CIRCUITS = {
    "chain": CircuitConfig(qubits=4, layers=2),
    "ring": CircuitConfig(qubits=4, layers=2, entanglement="ring"),
    "first": CircuitConfig(qubits=5, layers=2, readout="first", rotations="tied"),
    "reupload": CircuitConfig(qubits=3, layers=2, ansatz="reupload"),
}


def draw(circuit):
    random = np.random.default_rng(0)
    angles = fill_angles(circuit, lambda shape: random.normal(size=shape))
    return random.normal(size=(2, circuit.qubits)), tie_angles(circuit, angles), angles


def test_the_last_layer_of_a_chain_is_its_rotations():
    """By hand: p = 4, n = 11 leaves 3 (10 RZZ + 10 CNOT), 60 in all; <Z_k> is the product of bits 0 to k."""
    sent = shorten_circuit(CircuitConfig(), 4)
    count = Counter(gate.kind for gate in sent.gates)
    assert count == {"RX": 11, "RY": 44, "RZ": 33, "RZZ": 30, "CNOT": 30}
    assert sent.parities.tolist() == np.tri(11, dtype=bool).tolist()


def test_a_rings_last_gate_is_read_too():
    """By hand, n = 3: Z_0 goes back through CNOT(2, 0) to Z_2 Z_0, then through the chain to Z_0 Z_1 Z_2 times Z_0."""
    sent = shorten_circuit(CircuitConfig(qubits=3, layers=1, entanglement="ring"), 3)
    assert sent.parities.tolist() == [[False, True, True], [True, True, False], [True, True, True]]


def test_a_light_cones_dark_qubits_are_not_sent():
    sent = shorten_circuit(CIRCUITS["first"], 2)
    assert sent.qubits == [0, 1, 2, 3]


@pytest.mark.parametrize("name", CIRCUITS)
def test_exact_values_are_the_qnodes(name):
    circuit = CIRCUITS[name]
    z, tied, angles = draw(circuit)
    expected = np.stack(build_qnode(circuit, 2)(z, angles), axis=-1)
    np.testing.assert_allclose(exact_values(circuit, 2, z, tied), expected, atol=1e-10)


def test_a_circuit_of_the_users_own_is_refused():
    own = CircuitConfig(qubits=2, file="own.py", arrays={"a": [2]}, outputs=2)
    with pytest.raises(UserError, match=r"shipped circuit's, got the circuit of own\.py"):
        shorten_circuit(own, 2)


def test_parities_by_hand():
    """Strings 10 and 11: the first bit is always -1; the product of both is -1 in one and +1 in three of four."""
    parities = np.array([[True, False], [True, True], [False, False]])
    found = average_parities(parities, {"10": 1.0, "11": 3.0})
    assert found.tolist() == [-1.0, 0.5, 1.0]
