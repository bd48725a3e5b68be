"""Exported programs are read and simulated by a reader of their own, in plain NumPy, and compared with the QNode."""

import re

import numpy as np
import pytest

from student_jax.circuit import Angles, angle_shapes, build_qnode
from student_jax.config import CircuitConfig
from student_jax.export import export_qasm
from teacher_cache.errors import UserError

NUMBER = r"-?\d+\.\d+(?:e[+-]?\d+)?"
GATES = {
    "rx": lambda t: np.array([[np.cos(t / 2), -1j * np.sin(t / 2)], [-1j * np.sin(t / 2), np.cos(t / 2)]]),
    "ry": lambda t: np.array([[np.cos(t / 2), -np.sin(t / 2)], [np.sin(t / 2), np.cos(t / 2)]]),
    "rz": lambda t: np.diag(np.exp([-0.5j * t, 0.5j * t])),
}


def run_qasm(text, inputs=()):
    """The expectation values of the measured qubits, in order of the classical bits."""
    version, *statements = [line for line in text.replace("\n", " ").split(";") if line.strip()]
    assert version in {"OPENQASM 2.0", "OPENQASM 3.0"}
    values, state, measured = dict(inputs), None, {}
    for statement in map(str.strip, statements):
        if match := re.fullmatch(r"qreg q\[(\d+)\]|qubit\[(\d+)\] q", statement):
            qubits = int(match[1] or match[2])
            state = np.zeros([2] * qubits, complex)
            state[(0,) * qubits] = 1
        elif match := re.fullmatch(rf"(r[xyz])\((z\d+|{NUMBER})\) q\[(\d+)\]", statement):
            angle = values[match[2]] if match[2] in values else float(match[2])
            axis = int(match[3])
            state = np.moveaxis(np.tensordot(GATES[match[1]](angle), state, (1, axis)), 0, axis)
        elif match := re.fullmatch(r"cx q\[(\d+)\], q\[(\d+)\]", statement):
            control, target = int(match[1]), int(match[2])
            one = (slice(None),) * control + (1,)
            state[one] = np.flip(state[one], target - (target > control)).copy()
        elif match := re.fullmatch(r"measure q\[(\d+)\] -> c\[(\d+)\]", statement):
            measured[int(match[2])] = int(match[1])
        elif match := re.fullmatch(r"c\[(\d+)\] = measure q\[(\d+)\]", statement):
            measured[int(match[1])] = int(match[2])
        else:
            assert re.fullmatch(r'include ".+"|creg c\[\d+\]|bit\[\d+\] c|input float\[64\] z\d+', statement), statement
    probabilities = np.abs(state) ** 2
    marginals = [np.moveaxis(probabilities, measured[bit], 0).reshape(2, -1).sum(axis=1) for bit in sorted(measured)]
    return [zero - one for zero, one in marginals]


def draw(circuit):
    random = np.random.default_rng(0)
    return random.normal(size=circuit.qubits), Angles(*(random.normal(size=s) for s in angle_shapes(circuit)))


CIRCUITS = [
    CircuitConfig(qubits=4, layers=2),
    CircuitConfig(qubits=5, layers=3, entanglement="ring", rotations="tied", readout="first"),
]


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("circuit", CIRCUITS)
def test_a_program_has_the_circuits_values(circuit, version):
    z, angles = draw(circuit)
    text = export_qasm(circuit, 3, angles, z.tolist(), version)
    np.testing.assert_allclose(run_qasm(text), build_qnode(circuit, 3)(z, angles), rtol=0, atol=1e-6)


def test_named_inputs_take_any_text():
    circuit = CIRCUITS[0]
    z, angles = draw(circuit)
    text = export_qasm(circuit, 3, angles, None, 3)
    inputs = {f"z{qubit}": angle for qubit, angle in enumerate(z)}
    np.testing.assert_allclose(run_qasm(text, inputs), build_qnode(circuit, 3)(z, angles), rtol=0, atol=1e-6)


def test_numbers_are_written_in_full():
    """Small and whole numbers are where a decimal point goes missing."""
    circuit = CircuitConfig(qubits=2, layers=1, rotations="tied")
    angles = Angles(np.array([[[1e-20], [3.0]]]), np.array([[1 / 3]]), np.array([[[-2e22], [0.0]]]))
    text = export_qasm(circuit, 2, angles, [0.1, -0.2], 2)
    numbers = [float(number) for number in re.findall(rf"\(({NUMBER})\)", text)]
    assert numbers == [0.1, -0.2, 1e-20, 3.0, 1 / 3, -2e22, 0.0]


@pytest.mark.parametrize(
    ("z", "version", "message"),
    [
        ([0.0] * 4, 4, "version must be 2 or 3, got 4"),
        (None, 2, "OpenQASM 2 has no named inputs"),
        ([0.0] * 3, 3, "one angle per qubit, 4, got 3"),
        ([0.0, 0.0, 0.0, float("nan")], 3, "angles must be finite, got nan"),
    ],
)
def test_refusals(z, version, message):
    with pytest.raises(UserError, match=message):
        export_qasm(CIRCUITS[0], 2, draw(CIRCUITS[0])[1], z, version)
