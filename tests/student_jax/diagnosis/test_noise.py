"""Noise against PennyLane: every single error as the gate it is, and the average as default.mixed has it."""

from itertools import product

import jax
import numpy as np
import pennylane as qml
import pytest

from student_jax.circuit.gates import fill_angles, sum_rotations
from student_jax.circuit.qnode import apply_gates
from student_jax.config import CircuitConfig
from student_jax.diagnosis.noise import build_noisy_probabilities, count_locations, move_errors, sample_errors
from student_jax.diagnosis.probabilities import build_probabilities

CIRCUITS = [
    CircuitConfig(qubits=3, layers=2, rotations="tied"),
    CircuitConfig(qubits=3, layers=2, entanglement="ring", rotations="tied"),
    CircuitConfig(qubits=3, layers=2, ansatz="reupload", rotations="tied"),
]
PAULIS = (None, qml.X, qml.Y, qml.Z)


def draw(circuit, seed=0):
    random = np.random.default_rng(seed)
    return random.normal(size=circuit.qubits), fill_angles(circuit, lambda shape: random.normal(size=shape))


def in_float32(*arrays):
    return jax.tree.map(np.float32, arrays)


def run_pennylane(circuit, z, angles, after_gate, device="default.qubit"):
    """Probabilities of all bit strings, with after_gate(wire) queued for every qubit of every gate."""
    with qml.queuing.AnnotatedQueue() as queue:
        apply_gates(circuit, z, angles)
    gates = qml.tape.QuantumScript.from_queue(queue).operations

    @qml.qnode(qml.device(device, wires=circuit.qubits))
    def run():
        for gate in gates:
            qml.apply(gate)
            for wire in gate.wires:
                after_gate(wire)
        return qml.probs(wires=range(circuit.qubits))

    return run()


@pytest.mark.parametrize("circuit", CIRCUITS)
def test_an_error_moved_to_the_end_is_the_error_where_it_was(circuit):
    z, angles = draw(circuit)
    locations = count_locations(circuit)
    cases = list(product(range(locations), (1, 2, 3)))[::2]
    errors = np.zeros((len(cases), locations), int)
    for run, (place, error) in enumerate(cases):
        errors[run, place] = error
    signs, flips = move_errors(circuit, errors)
    strings = np.arange(2**circuit.qubits)
    with jax.enable_x64(True):
        simulate = jax.jit(build_probabilities(circuit))
        for run, error in enumerate(errors):
            found = np.asarray(simulate(z[None], angles, signs[run].astype(float)))[strings ^ flips[run], 0]
            remaining = iter(error)

            def insert(wire, remaining=remaining):
                if pauli := PAULIS[next(remaining)]:
                    pauli(wire)

            np.testing.assert_allclose(found, run_pennylane(circuit, z, angles, insert), rtol=0, atol=1e-10)


@pytest.mark.parametrize("probability", [0.002, 0.05])
def test_the_average_is_a_density_matrixs(probability):
    """4,000 runs of probabilities within [0, 1]: a standard error of at most 0.5 / sqrt(4000) = 0.008."""
    circuit = CircuitConfig(qubits=3, layers=2)
    z, angles = draw(circuit)
    mixed = run_pennylane(
        CIRCUITS[0],
        z,
        sum_rotations(circuit, angles),
        lambda wire: qml.DepolarizingChannel(probability, wires=wire),
        "default.mixed",
    )
    noisy = build_noisy_probabilities(circuit, 4000)
    found = noisy(*in_float32(z[None], angles), probability, np.random.default_rng(1))
    np.testing.assert_allclose(found[:, 0], mixed, rtol=0, atol=0.02)
    clean = run_pennylane(CIRCUITS[0], z, sum_rotations(circuit, angles), lambda wire: None)
    assert abs(mixed - clean).max() > (0.02 if probability > 0.01 else 0.001)


def test_no_noise_is_the_circuit_itself():
    circuit = CIRCUITS[0]
    z, angles = draw(circuit)
    found = build_noisy_probabilities(circuit, 1)(*in_float32(z[None], angles), 0.0, np.random.default_rng(0))
    np.testing.assert_allclose(found[:, 0], run_pennylane(circuit, z, angles, lambda wire: None), rtol=0, atol=1e-6)


def test_sampled_runs_have_an_error_and_the_right_share_of_each():
    """By hand, 2 locations, q = 1/2: of the runs with an error 1/3 have both, 1/3 either one."""
    errors = sample_errors(2, 0.5, 30_000, np.random.default_rng(0))
    assert errors.any(axis=1).all()
    np.testing.assert_allclose(((errors > 0) @ [1, 2] == np.array([[1], [2], [3]])).mean(axis=1), 1 / 3, atol=0.01)
    np.testing.assert_allclose([(errors[errors > 0] == kind).mean() for kind in (1, 2, 3)], 1 / 3, atol=0.01)


def test_locations_of_the_default_circuit():
    """By hand: 11 RX + 4 (11 RY + 2 * 10 RZZ + 11 RZ + 2 * 10 CNOT)."""
    assert count_locations(CircuitConfig()) == 11 + 4 * 62
