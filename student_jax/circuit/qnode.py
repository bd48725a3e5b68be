"""The circuit as a PennyLane QNode: whatever else simulates it must agree with this.

In: CircuitConfig, number of classes.  Out: apply_gates(), build_qnode().
Imports: jaxtyping; pennylane where a QNode is built.
"""

from typing import TYPE_CHECKING, Any

from jaxtyping import Float

from student_jax.circuit.gates import list_gates
from student_jax.circuit.notation import INPUT, measured_wires
from student_jax.config import CircuitConfig

if TYPE_CHECKING:
    import pennylane as qml


def apply_gates(circuit: CircuitConfig, z: Float[Any, "*batch qubits"], angles: Any) -> None:
    """Queue every gate in order of time.

    Args:
        circuit: which circuit.
        z: the encoding's angles.
        angles: the ansatz's Angles.
    """
    import pennylane as qml  # takes seconds, and who trains or predicts with `fused` does not need it

    kinds = {"RX": qml.RX, "RY": qml.RY, "RZ": qml.RZ, "RZZ": qml.IsingZZ}
    for kind, wires, parameter in list_gates(circuit):
        if parameter is None:
            qml.CNOT(wires=wires)
        elif parameter.array == INPUT:
            kinds[kind](z[..., parameter.place[0]], wires=wires)
        else:
            kinds[kind](getattr(angles, parameter.array)[parameter.place], wires=wires)


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

    def run(z: Float[Any, "*batch qubits"], angles: Any) -> list[Any]:
        apply_gates(circuit, z, angles)
        return [qml.expval(qml.Z(wire)) for wire in wires]

    device = qml.device(device_name, wires=circuit.qubits)
    if device_name == "default.qubit":
        return qml.QNode(run, device, diff_method="backprop")
    return qml.QNode(run, device, diff_method="adjoint", device_vjp=True)
