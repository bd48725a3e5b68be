"""What a circuit is written in: gates, the parameters that turn them, pairs of neighbours, the qubits that are read.

In: CircuitConfig, number of classes.  Out: Gate, Parameter, INPUT, neighbours(), measured_wires(), index_bits().
Imports: numpy.
"""

from typing import Literal, NamedTuple

import numpy as np

from student_jax.config import CircuitConfig
from teacher_cache.errors import UserError

# exp(-i angle/2 G), G the kind's last letters: the Pauli matrix X, Y or Z on one qubit, or Z on both; or a CNOT.
Kind = Literal["RX", "RY", "RZ", "RZZ", "CNOT"]
INPUT = "z"


class Parameter(NamedTuple):
    """What turns a gate: `array` names a trainable array, or is INPUT, where `place` is the qubit of the encoding."""

    array: str
    place: tuple[int, ...]


class Gate(NamedTuple):
    """One gate; a CNOT's wires are control and target, and it has no parameter."""

    kind: Kind
    wires: tuple[int, ...]
    parameter: Parameter | None = None


def neighbours(circuit: CircuitConfig) -> tuple[tuple[int, int], ...]:
    """The pairs (i, i + 1), ascending; a ring adds (n - 1, 0) at the end."""
    chain = tuple((i, i + 1) for i in range(circuit.qubits - 1))
    return (*chain, (circuit.qubits - 1, 0)) if circuit.entanglement == "ring" else chain


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


def index_bits(qubits: int) -> np.ndarray:
    """The bits of 0 ... 2**qubits - 1, first qubit first: shape (2**qubits, qubits)."""
    return (np.arange(2**qubits)[:, None] >> np.arange(qubits)[::-1]) & 1
