"""A student's scores by simulating its circuit in NumPy: for what has no polynomial, or none on disk.

In: CircuitConfig, trained angles, angles of the encoding.  Out: MAX_QUBITS, Simulation.  Imports: NumPy.

The state is (basis states, texts), complex. In a run of gates of a kind trained RYs are two real matrices, each the
Kronecker product of half of them; RZ and RZZ one phase a basis state; CNOTs one permutation.
"""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from student_jax.circuit.gates import list_gates
from student_jax.circuit.notation import INPUT, Gate, index_bits, measured_wires
from student_jax.config import CircuitConfig

# What a state takes then, 16 MiB in complex128, is what a laptop simulates in a second.
MAX_QUBITS = 20
# Amplitudes that are simulated at once.
BLOCK_AMPLITUDES_LOG2 = 19

_Move = Callable[[np.ndarray, np.ndarray], np.ndarray]


class Simulation:
    """The expectation values of a circuit with trained `angles`, in the type `precision`."""

    def __init__(self, circuit: CircuitConfig, classes: int, angles: Any, precision: str) -> None:
        """Prepare the gates.

        Raises:
            UserError: a circuit of the user's own, or `first` with more classes than qubits.
        """
        self._qubits = circuit.qubits
        self._type = np.result_type(precision, np.complex64)
        self._moves = list_moves(list_gates(circuit), angles, circuit.qubits, np.dtype(precision))
        self._signs = (1 - 2 * index_bits(circuit.qubits))[:, measured_wires(circuit, classes)].astype(precision)

    def measure(self, z: np.ndarray) -> np.ndarray:
        """<Z> (rows, outputs) of angles (rows, qubits)."""
        rows = max(1, (1 << BLOCK_AMPLITUDES_LOG2) >> self._qubits)
        blocks = [self._run(z[start : start + rows]) for start in range(0, len(z), rows)]
        return np.concatenate([(block.real**2 + block.imag**2).T @ self._signs for block in blocks])

    def _run(self, z: np.ndarray) -> np.ndarray:
        state = np.zeros((1 << self._qubits, len(z)), self._type)
        state[0] = 1
        for move in self._moves:
            state = move(state, z)
        return state


def list_moves(gates: Sequence[Gate], angles: Any, qubits: int, dtype: np.dtype) -> list[_Move]:
    """What each run of gates of a kind makes of a state, in order of time."""
    moves = []
    for kind, group in groupby(gates, key=lambda gate: "diagonal" if gate.kind in {"RZ", "RZZ"} else gate.kind):
        run = list(group)
        turns = [float(getattr(angles, p.array)[p.place]) for gate in run if (p := gate.parameter) and p.array != INPUT]
        make = {"RX": _encode, "RY": _rotate, "diagonal": _turn_phases, "CNOT": _permute}[kind]
        moves.append(make([gate.wires for gate in run], turns, qubits, dtype))
    return moves


def _encode(places: Sequence[Sequence[int]], turns: Sequence[float], qubits: int, dtype: np.dtype) -> _Move:
    """RX(z_i) on every qubit."""

    def move(state: np.ndarray, z: np.ndarray) -> np.ndarray:
        cosines, sines = np.cos(z / 2).T, -1j * np.sin(z / 2).T
        for (qubit,) in places:
            zero, one = np.moveaxis(state.reshape(1 << qubit, 2, -1, len(z)), 1, 0)
            c, s = cosines[qubit], sines[qubit].astype(state.dtype)
            state = np.stack([c * zero + s * one, s * zero + c * one], axis=1).reshape(state.shape)
        return state

    return move


def _rotate(places: Sequence[Sequence[int]], turns: Sequence[float], qubits: int, dtype: np.dtype) -> _Move:
    halves = np.bincount([qubit for (qubit,) in places], turns, qubits) / 2
    matrices = [np.array([[c, -s], [s, c]]) for c, s in zip(np.cos(halves), np.sin(halves), strict=True)]
    high, low = (_multiply(part).astype(dtype) for part in (matrices[: qubits // 2], matrices[qubits // 2 :]))

    def move(state: np.ndarray, z: np.ndarray) -> np.ndarray:
        parts = state.view(dtype)  # real and imaginary parts turn alike
        parts = low @ parts.reshape(len(high), len(low), -1)
        return (high @ parts.reshape(len(high), -1)).view(state.dtype).reshape(state.shape)

    return move


def _multiply(matrices: Sequence[np.ndarray]) -> np.ndarray:
    """The Kronecker product of any number of matrices."""
    product = np.eye(1)
    for matrix in matrices:
        product = np.kron(product, matrix)
    return product


def _turn_phases(places: Sequence[Sequence[int]], turns: Sequence[float], qubits: int, dtype: np.dtype) -> _Move:
    signs = 1 - 2 * index_bits(qubits)
    theta = sum(turn * signs[:, place].prod(axis=1) for place, turn in zip(places, turns, strict=True)) / 2
    phases = np.exp(-1j * theta)[:, None]
    return lambda state, z: state * phases.astype(state.dtype)


def _permute(places: Sequence[Sequence[int]], turns: Sequence[float], qubits: int, dtype: np.dtype) -> _Move:
    moved = index_bits(qubits)
    for control, target in reversed(places):  # where what comes to each basis state comes from
        moved[:, target] ^= moved[:, control]
    source = moved @ (1 << np.arange(qubits)[::-1])
    return lambda state, z: state[source]
