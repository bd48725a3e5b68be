import numpy as np
import pennylane as qml
import pytest

from student_jax.circuit.gates import angle_shapes
from student_jax.circuit.layers import Angles
from student_jax.circuit.notation import measured_wires, neighbours
from student_jax.circuit.qnode import apply_gates, build_qnode
from student_jax.config import CircuitConfig
from teacher_cache.errors import UserError


def make_angles(circuit):
    """Every angle another number."""
    shapes = angle_shapes(circuit).values()
    stops = np.cumsum([np.prod(shape) for shape in shapes])
    return Angles(
        *(np.arange(stop - np.prod(shape), stop).reshape(shape) for stop, shape in zip(stops, shapes, strict=True))
    )


def test_paper_size_has_304_angles():
    """By hand, p = 4, n = 11: 4 (33 RY + 10 RZZ + 33 RZ) = 304; one angle instead of three leaves 4 (11 + 10 + 11)."""
    shapes = angle_shapes(CircuitConfig()).values()
    assert sum(np.prod(shape) for shape in shapes) == 304
    assert sum(np.prod(shape) for shape in angle_shapes(CircuitConfig(rotations="tied")).values()) == 128
    assert angle_shapes(CircuitConfig(entanglement="ring"))["rzz"] == (4, 11)


def test_gates_come_in_the_stated_order():
    circuit = CircuitConfig(qubits=2, layers=2, rotations="tied")
    z, angles = np.array([0.1, 0.2]), make_angles(circuit)
    with qml.queuing.AnnotatedQueue() as queue:
        apply_gates(circuit, z, angles)
    gates = [(gate.name, gate.wires.tolist(), *gate.parameters) for gate in qml.tape.QuantumScript.from_queue(queue)]

    def layer(ry, rzz, rz):
        return [
            ("RY", [0], ry[0]),
            ("RY", [1], ry[1]),
            ("IsingZZ", [0, 1], rzz),
            ("RZ", [0], rz[0]),
            ("RZ", [1], rz[1]),
            ("CNOT", [0, 1]),
        ]

    encoding = [("RX", [0], 0.1), ("RX", [1], 0.2)]
    assert gates == [*encoding, *layer((0, 1), 4, (6, 7)), *layer((2, 3), 5, (8, 9))]


def test_three_equal_rotations_are_three_gates():
    circuit = CircuitConfig(qubits=2, layers=1)
    with qml.queuing.AnnotatedQueue() as queue:
        apply_gates(circuit, np.zeros(2), make_angles(circuit))
    names = [gate.name for gate in qml.tape.QuantumScript.from_queue(queue)]
    assert names == ["RX"] * 2 + ["RY"] * 6 + ["IsingZZ"] + ["RZ"] * 6 + ["CNOT"]


def test_a_ring_closes_last():
    assert neighbours(CircuitConfig(qubits=3, entanglement="ring")) == ((0, 1), (1, 2), (2, 0))
    assert neighbours(CircuitConfig(qubits=3)) == ((0, 1), (1, 2))


@pytest.mark.parametrize(("readout", "wires"), [("linear", (0, 1, 2)), ("first", (0, 1))])
def test_readout_names_its_qubits(readout, wires):
    circuit = CircuitConfig(qubits=3, layers=1, readout=readout)
    assert measured_wires(circuit, 2) == wires
    assert len(build_qnode(circuit, 2)(np.zeros(3), make_angles(circuit))) == len(wires)


def test_no_rotation_at_all_leaves_all_qubits_up():
    circuit = CircuitConfig(qubits=3, layers=2, entanglement="ring")
    angles = Angles(*map(np.zeros, angle_shapes(circuit).values()))
    np.testing.assert_allclose(build_qnode(circuit, 2)(np.zeros(3), angles), 1)


def test_first_needs_a_qubit_per_class():
    with pytest.raises(UserError, match="got 2 qubits for 3 classes"):
        measured_wires(CircuitConfig(qubits=2, readout="first"), 3)
