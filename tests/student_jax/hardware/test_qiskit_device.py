"""The compiled circuit is the student's circuit, whatever the layout; its counts come back in the student's order."""

from dataclasses import replace

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit_aer import AerSimulator
from qiskit_ibm_runtime.fake_provider import FakeFez, FakeManilaV2

from student_jax.circuit.gates import fill_angles
from student_jax.config import CircuitConfig
from student_jax.hardware.execution import prove_circuit
from student_jax.hardware.qiskit_device import QiskitDevice
from student_jax.hardware.quantum_device import Batch
from student_jax.hardware.sent_circuit import average_parities, exact_values, shorten_circuit, tie_angles
from teacher_cache.errors import UserError


def compile_random(circuit, backend, rows=2, classes=3):
    random = np.random.default_rng(0)
    angles = tie_angles(circuit, fill_angles(circuit, lambda shape: random.normal(size=shape)))
    z = random.normal(size=(rows, circuit.qubits))
    sent = shorten_circuit(circuit, classes)
    return QiskitDevice.compile(sent, angles, backend, None, 20), sent, z, exact_values(circuit, classes, z, angles)


@pytest.fixture(scope="module")
def manila():
    """A line of five qubits: a ring needs SWAPs there."""
    return FakeManilaV2()


@pytest.mark.parametrize(
    "circuit",
    [
        CircuitConfig(qubits=5, layers=2),
        CircuitConfig(qubits=4, layers=2, entanglement="ring"),
        CircuitConfig(qubits=5, layers=2, readout="first"),
        CircuitConfig(qubits=3, layers=2, ansatz="reupload"),
    ],
)
def test_the_compiled_circuit_has_the_exact_values(circuit, manila):
    device, sent, z, exact = compile_random(circuit, manila)
    assert prove_circuit(device, sent.parities, z, exact) < 1e-12


def test_a_wrong_layout_is_caught_before_anything_is_sent(manila):
    """Two bits are read from each other's qubits, as a tool does that loses the final layout."""
    device, sent, z, exact = compile_random(CircuitConfig(qubits=4, layers=2), manila)
    wrong = QuantumCircuit(device.circuit.num_qubits, device.circuit.num_clbits)
    turned = {0: 1, 1: 0}
    for step in device.circuit.data:
        bits = [device.circuit.find_bit(bit).index for bit in step.clbits]
        qubits = [device.circuit.find_bit(qubit).index for qubit in step.qubits]
        wrong.append(step.operation, qubits, [turned.get(bit, bit) for bit in bits])
    with pytest.raises(UserError, match="must give the student's exact values to 1e-06 without noise, got an error"):
        prove_circuit(replace(device, circuit=wrong), sent.parities, z, exact)


def test_counts_of_many_shots_have_the_exact_values():
    """5 standard deviations at 20,000 shots: 0.035."""
    device, sent, z, exact = compile_random(CircuitConfig(qubits=4, layers=2), AerSimulator())
    zeros, ones, *counts = device.submit(Batch(z, 20_000, 2, 7), "tag").fetch()
    assert (zeros, ones) == ({"0000": 40_000}, {"1111": 40_000})
    found = [average_parities(sent.parities, one) for one in counts]
    np.testing.assert_allclose(found, exact, atol=5 / 20_000**0.5)


def test_a_seed_gives_the_same_counts_again(manila):
    device, _, z, _ = compile_random(CircuitConfig(qubits=2, layers=1), manila)
    first, second, third = (device.submit(Batch(z, 100, 1, seed), "tag").fetch() for seed in (3, 3, 4))
    assert first == second != third


def test_the_default_chain_needs_no_swap_on_a_heavy_hex_lattice():
    """By hand: 30 RZZ are two CZ each, 30 CNOT one: 90, on eleven qubits."""
    device, *_ = compile_random(CircuitConfig(), FakeFez(), rows=1, classes=4)
    said = device.describe()
    assert said["two_qubit_gates"] == 90
    assert len(set(said["qubits"])) == 11
    seconds = device.estimate_cost([Batch(np.zeros((200, 11)), 256, 0, 0)])["seconds"]
    assert seconds > 200 * 256 * 250e-6  # the pause between shots alone


def test_a_circuit_that_is_too_large_is_refused(manila):
    with pytest.raises(UserError, match=r"circuit of 6 qubits must fit backend fake_manila, got: .+; take another"):
        compile_random(CircuitConfig(qubits=6, layers=2), manila)


def test_ibms_own_sampler_takes_the_job_and_gives_its_counts(manila):
    """In its local mode, which runs a snapshot as if it were the machine."""
    device, sent, z, exact = compile_random(CircuitConfig(qubits=2, layers=1), manila)
    sent_to_ibm = replace(device, service="ibm")
    zeros, ones, *counts = sent_to_ibm.submit(Batch(z, 4_000, 2, 0), "tag").fetch()
    assert zeros["00"] + ones["11"] > 0.9 * 16_000
    found = [average_parities(sent.parities, one) for one in counts]
    np.testing.assert_allclose(found, exact, atol=0.2)
