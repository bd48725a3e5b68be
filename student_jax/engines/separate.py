"""The circuit without its gates on two qubits, which then never entangle: every qubit's Bloch vector by itself.

In: CircuitConfig, number of classes.  Out: build_separate().  Imports: jax, numpy.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from student_jax.circuit.gates import list_gates, sum_rotations
from student_jax.circuit.notation import INPUT, Gate, measured_wires
from student_jax.config import CircuitConfig
from student_jax.engines.interface import Engine

# Which axis an axis is turned towards: RX turns y towards z, RY z towards x, RZ x towards y.
_TURNS = {"RX": (1, 2), "RY": (2, 0), "RZ": (0, 1)}


def build_separate(circuit: CircuitConfig, classes: int) -> Engine:
    """An engine for the circuit's rotations alone, as z is read: of the measured qubits, in order.

    Raises:
        UserError: a circuit of the user's own, or more classes than readout `first` can read.
    """
    alone = [gate for gate in list_gates(replace(circuit, rotations="tied")) if len(gate.wires) == 1]
    groups = [
        list(group)
        for _, group in groupby(alone, key=lambda gate: (gate.kind, gate.parameter and gate.parameter.array))
    ]
    wires = np.array(measured_wires(circuit, classes))

    def run(z: Float[Array, "rows qubits"], angles: Any) -> Float[Array, "rows outputs"]:
        tied = sum_rotations(circuit, angles)
        zero = jnp.zeros_like(z)
        axes = [zero, zero, zero + 1]
        for group in groups:
            first, second = _TURNS[group[0].kind]
            angle = _collect(group, z, tied)
            sin, cos = jnp.sin(angle), jnp.cos(angle)
            axes[first], axes[second] = axes[first] * cos - axes[second] * sin, axes[first] * sin + axes[second] * cos
        return axes[2][:, wires]

    return run


def _collect(group: Sequence[Gate], z: Float[Array, "rows qubits"], tied: Any) -> Float[Array, "rows_or_1 qubits"]:
    """The angle by which `group`, rotations of one kind and one array, turns each qubit; 0 where there is none."""
    parameters = [gate.parameter for gate in group if gate.parameter is not None]
    array, place = parameters[0].array, tuple(np.array([parameter.place for parameter in parameters]).T)
    angles = z[:, *place] if array == INPUT else getattr(tied, array)[place][None]
    wires = np.array([gate.wires[0] for gate in group])
    return jnp.zeros((len(angles), z.shape[1]), z.dtype).at[:, wires].add(angles)
