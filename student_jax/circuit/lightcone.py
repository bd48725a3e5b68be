"""Which gates can change a measured expectation value at all.

In: CircuitConfig, number of classes.  Out: LightCone, find_live_gates(), find_light_cone(), mask_angles().
Imports: numpy; jax where angles are masked.

Read backwards in time from the measurement, as operators move (Heisenberg's picture), keeping only two sets of qubits:
where the operators can have an X or Y factor (`x`), and where they can have a Z or Y factor (`z`).

- A rotation about a Pauli string acts on what it anticommutes with: RX where there is Z, RZ where there is X, RY where
  there is either, RZZ where either qubit has X. What it turns is multiplied by the string, which adds to the sets.
- A CNOT turns X on its control into X on both qubits and Z on its target into Z on both, and leaves all else.

So a Z measurement moved through a layer's CNOTs is a product of Z, and diagonal gates before them are dead for every
readout. In `layers` with a chain and C >= 2 measured qubits layer l of p is min(n, C + 2 (p - l)) qubits wide.  The
sets are upper bounds of what acts: a gate outside them has exactly zero gradient, for every value of the angles.
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool

from student_jax.circuit.gates import fill_angles, list_gates
from student_jax.circuit.notation import INPUT, Gate, measured_wires
from student_jax.config import CircuitConfig


class LightCone(NamedTuple):
    """Masks of the parameters that act: `encoding` of shape (qubits,); `angles`, the ansatz's Angles of masks."""

    encoding: Bool[np.ndarray, " qubits"]
    angles: Any


def find_live_gates(circuit: CircuitConfig, classes: int) -> list[bool]:
    """For every gate of `list_gates`, whether it can change an expectation value of the readout."""
    x: set[int] = set()
    z = set(measured_wires(circuit, classes))
    return [_move_back(gate, x, z) for gate in reversed(list_gates(circuit))][::-1]


def _move_back(gate: Gate, x: set[int], z: set[int]) -> bool:
    """Move the operators in `x` and `z` back past `gate`; whether it acts on any of them."""
    first, last = gate.wires[0], gate.wires[-1]
    if gate.kind == "CNOT":
        live = first in x or last in z
        if first in x:
            x.add(last)
        if last in z:
            z.add(first)
        return live
    turned = {"RX": z, "RY": x | z, "RZ": x, "RZZ": x}[gate.kind]
    live = not turned.isdisjoint(gate.wires)
    if live and gate.kind in {"RX", "RY"}:
        x.update(gate.wires)
    if live and gate.kind in {"RY", "RZ", "RZZ"}:
        z.update(gate.wires)
    return live


def find_light_cone(circuit: CircuitConfig, classes: int) -> LightCone:
    """The encoding's and the trainable angles of `circuit` that can change an expectation value of its readout."""
    cone = LightCone(np.zeros(circuit.qubits, bool), fill_angles(circuit, lambda shape: np.zeros(shape, bool)))
    for gate, live in zip(list_gates(circuit), find_live_gates(circuit, classes), strict=True):
        if gate.parameter is not None:
            array, place = gate.parameter
            (cone.encoding if array == INPUT else getattr(cone.angles, array))[place] |= live
    return cone


def mask_angles(cone: LightCone, angles: Any) -> Any:
    """`angles` with the dead ones replaced by zero, so that their gradients are exactly zero, too."""
    import jax  # who only asks what is alive need not have it
    import jax.numpy as jnp

    return jax.tree.map(lambda live, angle: jnp.where(live, angle, jnp.zeros_like(angle)), cone.angles, angles)
