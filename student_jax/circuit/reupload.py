"""The ansatz `reupload`: the encoding again before every layer, so that outputs are polynomials of degree p in a text.

In: CircuitConfig.  Out: Angles, angle_shapes(), write_gates().  Imports: the standard library.

p layers, each: RX(z_i), RZ and RY on every qubit, then CNOT on neighbours in ascending order.  The RX of a layer and
the RZ and RY after it turn a qubit about three axes, whatever comes before; no rotation commutes with the measurement.
With one encoding an output is of degree 1 in (cos z_i, sin z_i) of each qubit; with p encodings of degree p.

Source: Perez-Salinas et al. 2020, arXiv:1907.02085; the degree: Schuld, Sweke and Meyer 2021, arXiv:2008.08605.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from student_jax.circuit.notation import INPUT, Gate, Parameter, neighbours
from student_jax.config import CircuitConfig

if TYPE_CHECKING:  # takes longer to import than a text to classify
    from jaxtyping import Float


class Angles(NamedTuple):
    """The trainable angles of all layers, in radians; `repeats` is 3 for `triple` and 1 for `tied` rotations."""

    rz: "Float[Any, 'layers qubits repeats']"
    ry: "Float[Any, 'layers qubits repeats']"


def angle_shapes(circuit: CircuitConfig) -> dict[str, tuple[int, ...]]:
    """The shapes of Angles by name."""
    rotations = (circuit.layers, circuit.qubits, 3 if circuit.rotations == "triple" else 1)
    return {"rz": rotations, "ry": rotations}


def write_gates(circuit: CircuitConfig) -> Iterator[Gate]:
    """All gates in order of time."""
    qubits, repeats = range(circuit.qubits), range(3 if circuit.rotations == "triple" else 1)
    for layer in range(circuit.layers):
        yield from (Gate("RX", (qubit,), Parameter(INPUT, (qubit,))) for qubit in qubits)
        yield from (Gate("RZ", (qubit,), Parameter("rz", (layer, qubit, k))) for qubit in qubits for k in repeats)
        yield from (Gate("RY", (qubit,), Parameter("ry", (layer, qubit, k))) for qubit in qubits for k in repeats)
        yield from (Gate("CNOT", pair) for pair in neighbours(circuit))
