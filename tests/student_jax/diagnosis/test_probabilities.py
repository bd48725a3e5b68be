import jax
import numpy as np
import pennylane as qml
import pytest

from student_jax.circuit.gates import fill_angles
from student_jax.circuit.notation import index_bits
from student_jax.circuit.qnode import apply_gates
from student_jax.config import CircuitConfig
from student_jax.diagnosis.probabilities import build_probabilities

CIRCUITS = [
    CircuitConfig(qubits=2, layers=1),
    CircuitConfig(qubits=5, layers=3),
    CircuitConfig(qubits=4, layers=2, entanglement="ring", rotations="tied"),
    CircuitConfig(qubits=3, layers=3, ansatz="reupload", entanglement="ring"),
]


def test_the_first_qubit_is_the_most_significant_bit():
    np.testing.assert_array_equal(index_bits(2), [[0, 0], [0, 1], [1, 0], [1, 1]])


@pytest.mark.parametrize("circuit", CIRCUITS)
def test_probabilities_are_the_qnodes(circuit):
    random = np.random.default_rng(0)
    z, angles = (
        random.normal(size=(3, circuit.qubits)),
        fill_angles(circuit, lambda shape: random.normal(size=shape)),
    )

    @qml.qnode(qml.device("default.qubit", wires=circuit.qubits))
    def run():
        apply_gates(circuit, z, angles)
        return qml.probs(wires=range(circuit.qubits))

    with jax.enable_x64(True):
        found = jax.jit(build_probabilities(circuit))(z, angles)
    np.testing.assert_allclose(found.T, run(), rtol=0, atol=1e-10)
