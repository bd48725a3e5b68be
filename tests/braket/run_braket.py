"""Students by Braket's SDK, on its simulator on this machine. Run by `make braket`, in an environment of its own."""

import numpy as np
import pytest

from student_jax.circuit.gates import fill_angles
from student_jax.config import CircuitConfig
from student_jax.hardware.execution import cut_batches, prove_circuit, read_values, run_batches
from student_jax.hardware.opening import open_device
from student_jax.hardware.quantum_device import Batch
from student_jax.hardware.run_folder import RunFolder
from student_jax.hardware.sent_circuit import exact_values, shorten_circuit, tie_angles
from teacher_cache.errors import UserError

CIRCUITS = [CircuitConfig(qubits=4, layers=2), CircuitConfig(qubits=4, layers=2, entanglement="ring", readout="first")]


def open_random(circuit, rows):
    random = np.random.default_rng(0)
    angles = tie_angles(circuit, fill_angles(circuit, lambda shape: random.normal(size=shape)))
    z, sent = random.normal(size=(rows, circuit.qubits)), shorten_circuit(circuit, 2)
    return open_device("braket:local", sent, angles), sent, z, exact_values(circuit, 2, z, angles)


@pytest.mark.parametrize("circuit", CIRCUITS)
def test_a_run_has_the_exact_values(circuit, tmp_path):
    """5 standard deviations of 10,000 shots."""
    device, sent, z, exact = open_random(circuit, 3)
    assert prove_circuit(device, sent.parities, z, exact) < 1e-12
    batches, folder = cut_batches(z, 2, 10_000, 1, 0), RunFolder(tmp_path)
    said = []
    run_batches(device, batches, len(sent.qubits), folder, "d", said.append)
    assert len(said) == 4
    values = read_values(batches, sent.parities, folder, "d")
    np.testing.assert_allclose(values.measured, exact, atol=0.05)
    np.testing.assert_allclose(values.mitigated, exact, atol=0.05)


def test_a_budget_counts_gates(tmp_path):
    device, *_ = open_random(CIRCUITS[0], 1)
    assert device.describe()["two_qubit_gates"] == 6
    assert device.estimate_cost([Batch(np.zeros((2, 4)), 10, 1, 0)]) == {"seconds": None, "price_usd": 0.0}


def test_a_device_that_cannot_be_reached():
    sent = shorten_circuit(CIRCUITS[0], 2)
    with pytest.raises(UserError, match=r"braket:arn:aws:braket:x must be reachable with the account of the AWS SDK"):
        open_device("braket:arn:aws:braket:x", sent, None)
