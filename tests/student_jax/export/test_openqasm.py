"""Exported programs are read back and compared with the QNode.

By a reader of their own in plain NumPy and, where they are installed, by PennyLane's reader of OpenQASM 3 (package
openqasm3[parser]) and by Qiskit's of OpenQASM 2 (package qiskit).
"""

import json
import re

import jax
import numpy as np
import pennylane as qml
import pytest
from qiskit import qasm2
from qiskit.quantum_info import Pauli, Statevector
from scipy.special import softmax

from student_jax.checkpoint import Checkpoint, Description
from student_jax.circuit.gates import fill_angles
from student_jax.circuit.layers import Angles
from student_jax.circuit.qnode import build_qnode
from student_jax.config import CircuitConfig, StudentConfig
from student_jax.export.openqasm import export_qasm, export_student
from student_jax.model import build_model, build_scorer
from student_jax.parameters import initialise_parameters
from teacher_cache.errors import UserError

NUMBER = r"-?\d+\.\d+(?:e[+-]?\d+)?"
GATES = {
    "rx": lambda t: np.array([[np.cos(t / 2), -1j * np.sin(t / 2)], [-1j * np.sin(t / 2), np.cos(t / 2)]]),
    "ry": lambda t: np.array([[np.cos(t / 2), -np.sin(t / 2)], [np.sin(t / 2), np.cos(t / 2)]]),
    "rz": lambda t: np.diag(np.exp([-0.5j * t, 0.5j * t])),
}


def run_qasm(text, inputs=()):
    """The expectation values of the measured qubits, in order of the classical bits."""
    text = re.sub("//.*\n", "", text)
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
    return random.normal(size=circuit.qubits), fill_angles(circuit, lambda shape: random.normal(size=shape))


CIRCUITS = [
    CircuitConfig(qubits=4, layers=2),
    CircuitConfig(qubits=5, layers=3, entanglement="ring", rotations="tied", readout="first"),
    CircuitConfig(qubits=3, layers=2, ansatz="reupload"),
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


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("circuit", CIRCUITS)
def test_pennylane_reads_version_3(circuit, named):
    z, angles = draw(circuit)
    text = export_qasm(circuit, 3, angles, None if named else z.tolist(), 3)
    # PennyLane knows the standard gates without their file; its expectation values stand in for the measurements.
    program = "\n".join(line for line in text.splitlines() if not re.search("include|measure", line))

    @qml.qnode(qml.device("default.qubit"))
    def run():
        qml.from_qasm3(program)(**({f"z{qubit}": angle for qubit, angle in enumerate(z)} if named else {}))
        wires = re.findall(r"= measure (q\[\d+\])", text)
        return [qml.expval(qml.Z(wire)) for wire in wires]

    np.testing.assert_allclose(run(), build_qnode(circuit, 3)(z, angles), rtol=0, atol=1e-6)


@pytest.mark.parametrize("circuit", CIRCUITS)
def test_qiskit_reads_version_2(circuit):
    z, angles = draw(circuit)
    read = qasm2.loads(export_qasm(circuit, 3, angles, z.tolist(), 2))
    qubits = [read.find_bit(step.qubits[0]).index for step in read.data if step.operation.name == "measure"]
    read.remove_final_measurements()
    state = Statevector(read)
    found = [state.expectation_value(Pauli("Z"), [qubit]) for qubit in qubits]
    np.testing.assert_allclose(np.real(found), build_qnode(circuit, 3)(z, angles), rtol=0, atol=1e-6)


@pytest.mark.parametrize("readout", ["linear", "first"])
def test_a_students_program_and_comments_are_enough_to_classify(readout):
    config = StudentConfig(
        circuit=CircuitConfig(qubits=3, layers=2, readout=readout), encoding_scale=1.0, precision="float32"
    )
    random = np.random.default_rng(0)
    seeds = [initialise_parameters(config, 5, 2, random) for _ in range(2)]
    parameters = jax.tree.map(lambda *arrays: np.stack(arrays), *seeds)
    description = Description(["no", "yes"], 5, config, [0, 1], [1, 1], 1, 0.0, "0" * 64, {})
    checkpoint, features = Checkpoint(description, parameters), random.normal(size=(1, 5)).astype(np.float32)

    text = export_student(checkpoint, features[0], 2)
    scores = np.array(run_qasm(text))
    if readout == "linear":
        weight, bias = (np.array(json.loads(re.search(rf"// {name} = (.*)", text)[1])) for name in "Wb")
        scores = scores @ weight + bias
    said = build_scorer(build_model(config, 5, 2), config.precision)(parameters, features)[1, 0]
    np.testing.assert_allclose(softmax(scores), softmax(said), rtol=0, atol=1e-5)

    named = export_student(checkpoint, None, 3)
    encoding = seeds[1].encoding
    inputs = {f"z{qubit}": z for qubit, z in enumerate((features @ encoding.weight + encoding.bias)[0].tolist())}
    np.testing.assert_allclose(run_qasm(named, inputs), run_qasm(text), rtol=0, atol=1e-6)


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
