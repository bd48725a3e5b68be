"""What of a circuit is sent to a device: its live gates, and which measured bits' product each <Z> of the readout is.

In: CircuitConfig, number of classes.  Out: SentCircuit, shorten_circuit(), exact_values().
Imports: numpy; pennylane where exact values are wanted.

A CNOT after which nothing happens to its qubits but the measurement only turns Z on its target into Z on both: it is
left out, and the product of both bits is read.  Diagonal gates before a measurement do nothing.  So of `layers` the
last layer is its RYs alone, and an ascending chain is read as prefix products of the bits.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from student_jax.circuit.gates import list_gates, sum_rotations
from student_jax.circuit.lightcone import find_live_gates
from student_jax.circuit.notation import INPUT, Gate, measured_wires
from student_jax.circuit.qnode import build_qnode
from student_jax.config import CircuitConfig


class SentCircuit(NamedTuple):
    """The gates that are sent, in order of time, on `qubits`, all of which are measured, in this order.

    `parities` says of every <Z> of the readout which bits' product it is.
    """

    gates: list[Gate]
    qubits: list[int]
    parities: Bool[np.ndarray, "outputs bits"]


def shorten_circuit(circuit: CircuitConfig, classes: int) -> SentCircuit:
    """The least of `circuit` that gives all <Z> of its readout, equal rotations in a row summed.

    Raises:
        UserError: the circuit is one of the user's own, or `first` has more classes than qubits.
    """
    tied = replace(circuit, rotations="tied")
    products = [{wire} for wire in measured_wires(tied, classes)]
    gates: list[Gate] = []
    busy: set[int] = set()  # qubits on which a gate that is kept comes later
    for gate, live in reversed(list(zip(list_gates(tied), find_live_gates(tied, classes), strict=True))):
        if not live:
            continue
        if gate.kind == "CNOT" and busy.isdisjoint(gate.wires):
            control, target = gate.wires
            for product in products:
                if target in product:
                    product ^= {control}
            continue
        gates.insert(0, gate)
        busy.update(gate.wires)
    qubits = sorted(set().union(*products, *(gate.wires for gate in gates)))
    parities = np.array([[qubit in product for qubit in qubits] for product in products])
    return SentCircuit(gates, qubits, parities)


def find_angle(gate: Gate, angles: Any) -> float | int | None:
    """A trained gate's angle in radians; the input's qubit, an int, where a text turns it; None of a CNOT.

    `angles` are in `tied` form, as `sum_rotations` gives them.
    """
    if gate.parameter is None:
        return None
    array, place = gate.parameter
    return int(place[0]) if array == INPUT else float(getattr(angles, array)[place])


def tie_angles(circuit: CircuitConfig, angles: Any) -> Any:
    """The ansatz's Angles as one rotation in float64 for equal ones in a row."""
    doubles = type(angles)(*(np.asarray(array, np.float64) for array in angles))
    return sum_rotations(circuit, doubles)


def exact_values(
    circuit: CircuitConfig, classes: int, z: Float[np.ndarray, "rows qubits"], angles: Any
) -> Float[np.ndarray, "rows outputs"]:
    """All <Z> of the readout by the QNode of the whole circuit, in float64.

    Args:
        circuit: which circuit.
        classes: number of classes; only readout `first` depends on it.
        z: the encoding's angles, float64.
        angles: as `tie_angles` gives them.
    """
    run = build_qnode(replace(circuit, rotations="tied"), classes, "lightning.qubit")
    return np.array([[float(value) for value in run(row, angles)] for row in z])


def average_parities(
    parities: Bool[np.ndarray, "outputs bits"], weights: Mapping[str, float | int]
) -> Float[np.ndarray, " outputs"]:
    """The mean of each product of bits, +1 for a 0 and -1 for a 1.

    Args:
        parities: which bits each product has.
        weights: of every string of bits, first bit first: how often it came, or its (quasi)probability.
    """
    strings = np.array([[bit == "1" for bit in string] for string in weights])
    signs = 1 - 2 * ((strings @ parities.T.astype(int)) % 2)
    heights = np.array(list(weights.values()), np.float64)
    return heights @ signs / heights.sum()
