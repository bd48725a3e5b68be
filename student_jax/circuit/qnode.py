"""The student's circuit, written down once: whatever simulates it must agree with this QNode.

In: CircuitConfig, number of classes.  Out: Angles, angle_shapes(), neighbours(), measured_wires(), count_outputs(),
build_qnode().
Imports: jaxtyping; pennylane where a QNode is built.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

from jaxtyping import Array, Float

from student_jax.config import CircuitConfig
from teacher_cache.errors import UserError

if TYPE_CHECKING:
    import pennylane as qml


class Angles(NamedTuple):
    """The trainable angles of all layers, in radians; `repeats` is 3 for `triple` and 1 for `tied` rotations."""

    ry: Float[Array, "layers qubits repeats"]
    rzz: Float[Array, "layers pairs"]
    rz: Float[Array, "layers qubits repeats"]


class AngleShapes(NamedTuple):
    """The shapes of Angles, field by field."""

    ry: tuple[int, int, int]
    rzz: tuple[int, int]
    rz: tuple[int, int, int]


def angle_shapes(circuit: CircuitConfig) -> AngleShapes:
    """The shapes that Angles has for `circuit`.

    Raises:
        UserError: it is one of the user's own.
    """
    repeats = 3 if circuit.rotations == "triple" else 1
    rotations = (circuit.layers, circuit.qubits, repeats)
    return AngleShapes(ry=rotations, rzz=(circuit.layers, len(neighbours(circuit))), rz=rotations)


def neighbours(circuit: CircuitConfig) -> tuple[tuple[int, int], ...]:
    """The pairs (i, i + 1) that RZZ and CNOT act on, ascending; a ring adds (n - 1, 0) at the end.

    Raises:
        UserError: the circuit is one of the user's own, whose gates are not known here.
    """
    if circuit.file is not None:
        raise UserError(
            f"the gates must be the shipped circuit's, got the circuit of {circuit.file}, which can be trained, "
            "evaluated and asked, but not drawn, exported, diagnosed or stripped of its entanglement"
        )
    chain = tuple((i, i + 1) for i in range(circuit.qubits - 1))
    return (*chain, (circuit.qubits - 1, 0)) if circuit.entanglement == "ring" else chain


def count_outputs(circuit: CircuitConfig, classes: int) -> int:
    """How many expectation values the circuit has.

    Raises:
        UserError: `first` with more classes than qubits.
    """
    return len(measured_wires(circuit, classes)) if circuit.outputs is None else circuit.outputs


def measured_wires(circuit: CircuitConfig, classes: int) -> tuple[int, ...]:
    """The qubits whose <Z> is read: all of them for `linear`, one per class for `first`.

    Raises:
        UserError: `first` with more classes than qubits.
    """
    if circuit.readout == "linear":
        return tuple(range(circuit.qubits))
    if classes > circuit.qubits:
        raise UserError(
            f"readout first needs at least one qubit per class, got {circuit.qubits} qubits for {classes} classes; "
            "take readout linear or more qubits"
        )
    return tuple(range(classes))


def sum_rotations(angles: Angles) -> Angles:
    """The same circuit in `tied` form: equal rotations in a row are one rotation by the sum of their angles."""
    return Angles(ry=angles.ry.sum(-1, keepdims=True), rzz=angles.rzz, rz=angles.rz.sum(-1, keepdims=True))


def apply_gates(circuit: CircuitConfig, z: Float[Array, "*batch qubits"], angles: Angles) -> None:
    """Queue every gate in order of time: the encoding, then the layers (equations 15 to 23, read as products)."""
    import pennylane as qml  # takes seconds, and who trains or predicts with `fused` does not need it

    for qubit in range(circuit.qubits):
        qml.RX(z[..., qubit], wires=qubit)
    for ry, rzz, rz in zip(*angles, strict=True):
        for qubit in range(circuit.qubits):
            for angle in ry[qubit]:
                qml.RY(angle, wires=qubit)
        for pair, angle in zip(neighbours(circuit), rzz, strict=True):
            qml.IsingZZ(angle, wires=pair)
        for qubit in range(circuit.qubits):
            for angle in rz[qubit]:
                qml.RZ(angle, wires=qubit)
        for pair in neighbours(circuit):
            qml.CNOT(wires=pair)


def build_qnode(circuit: CircuitConfig, classes: int, device_name: str = "default.qubit") -> "qml.QNode":
    """The circuit on a PennyLane device, as a function of (z, angles), differentiable with JAX or autograd.

    Args:
        circuit: which circuit.
        classes: number of classes; only `first` depends on it.
        device_name: PennyLane's name; `default.qubit` differentiates by backprop, all others by the adjoint method.

    Returns:
        QNode: z "*batch qubits" and Angles -> one <Z> "*batch" for each measured wire, in a list.

    Raises:
        UserError: more classes than `first` can read.
    """
    import pennylane as qml

    wires = measured_wires(circuit, classes)

    def run(z: Float[Array, "*batch qubits"], angles: Angles) -> list[Any]:
        apply_gates(circuit, z, angles)
        return [qml.expval(qml.Z(wire)) for wire in wires]

    device = qml.device(device_name, wires=circuit.qubits)
    if device_name == "default.qubit":
        return qml.QNode(run, device, diff_method="backprop")
    return qml.QNode(run, device, diff_method="adjoint", device_vjp=True)
