"""The ansatz `layers`, the paper's: one encoding, then equal layers (equations 15 to 23, read as products).

In: CircuitConfig.  Out: Angles, angle_shapes(), write_gates().  Imports: the standard library.

RX(z_i) on every qubit; then p layers, each: RY on every qubit, RZZ on neighbours, RZ on every qubit, CNOT on neighbours
in ascending order.  With `triple` rotations every RY and RZ is three in a row.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from student_jax.circuit.notation import INPUT, Gate, Parameter, neighbours
from student_jax.config import CircuitConfig

if TYPE_CHECKING:  # takes longer to import than a text to classify
    from jaxtyping import Float


class Angles(NamedTuple):
    """The trainable angles of all layers, in radians; `repeats` is 3 for `triple` and 1 for `tied` rotations."""

    ry: "Float[Any, 'layers qubits repeats']"
    rzz: "Float[Any, 'layers pairs']"
    rz: "Float[Any, 'layers qubits repeats']"


def angle_shapes(circuit: CircuitConfig) -> dict[str, tuple[int, ...]]:
    """The shapes of Angles by name."""
    rotations = (circuit.layers, circuit.qubits, 3 if circuit.rotations == "triple" else 1)
    return {"ry": rotations, "rzz": (circuit.layers, len(neighbours(circuit))), "rz": rotations}


def write_gates(circuit: CircuitConfig) -> Iterator[Gate]:
    """All gates in order of time."""
    qubits, pairs = range(circuit.qubits), neighbours(circuit)
    repeats = range(3 if circuit.rotations == "triple" else 1)
    for qubit in qubits:
        yield Gate("RX", (qubit,), Parameter(INPUT, (qubit,)))
    for layer in range(circuit.layers):
        yield from (Gate("RY", (qubit,), Parameter("ry", (layer, qubit, k))) for qubit in qubits for k in repeats)
        yield from (Gate("RZZ", pair, Parameter("rzz", (layer, index))) for index, pair in enumerate(pairs))
        yield from (Gate("RZ", (qubit,), Parameter("rz", (layer, qubit, k))) for qubit in qubits for k in repeats)
        yield from (Gate("CNOT", pair) for pair in pairs)
