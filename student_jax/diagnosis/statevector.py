"""Gates applied to a state vector, many rows of encodings at once.

In: Gates and their factors.  Out: State, build_start(), build_block().  Imports: jax, numpy.

A gate's factor is its angle or, where the encoding turns it, what the row's own z is multiplied by.  In a run of one
kind diagonal gates are one phase per basis state, trained RYs one real Kronecker product in two halves, CNOTs one
permutation; other rotations are done one by one.

Layout: (real and imaginary part, basis state, row of z).
"""

from collections.abc import Callable, Sequence
from functools import reduce
from itertools import groupby
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from student_jax.circuit.notation import INPUT, Gate, Kind, index_bits

State: TypeAlias = Float[Array, "parts strings rows"]
Factors: TypeAlias = Float[Array, " gates"]
Inputs: TypeAlias = Float[Array, "rows qubits"]

_DIAGONAL = {"RZ", "RZZ"}


def build_start(gates: Sequence[Gate], factors: Factors, z: Inputs) -> State:
    """The state after `gates`, an RX on every qubit or none at all, have been applied to |0...0>.

    They give every basis state a real magnitude, and the factor -i for each of its ones.
    """
    rows, qubits = z.shape
    if not gates:
        return jnp.zeros((2, 2**qubits, rows), z.dtype).at[0, 0].set(1)
    angles = _collect_angles(gates, factors, z) / 2
    sides = jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=1)
    magnitudes = reduce(lambda a, b: (a[:, None] * b[None]).reshape(-1, rows), sides)
    turns = np.array([[1, 0, -1, 0], [0, -1, 0, 1]])[:, index_bits(qubits).sum(axis=1) % 4]
    return turns.astype(z.dtype)[:, :, None] * magnitudes[None]


def build_block(gates: Sequence[Gate], z: Inputs) -> Callable[[State, Factors], State]:
    """The function (state, factors of those of `gates` that have one) -> state after them."""
    qubits = z.shape[1]
    moves = []
    for _, group in groupby(gates, key=lambda gate: "diagonal" if gate.kind in _DIAGONAL else gate.kind):
        run = list(group)
        moves.append((_choose(run)(run, qubits), 0 if run[0].kind == "CNOT" else len(run)))

    def step(state: State, factors: Factors) -> State:
        done = 0
        for move, count in moves:
            state = move(state, factors[done : done + count], z)
            done += count
        return state

    return step


_Move: TypeAlias = Callable[[State, Factors, Inputs], State]


def _choose(run: Sequence[Gate]) -> Callable[[Sequence[Gate], int], _Move]:
    if run[0].kind == "CNOT":
        return _permute
    if run[0].kind in _DIAGONAL:
        return _shift_phases
    trained = all(gate.parameter is not None and gate.parameter.array != INPUT for gate in run)
    return _multiply if run[0].kind == "RY" and trained else _rotate_all


def _permute(run: Sequence[Gate], qubits: int) -> _Move:
    moved = index_bits(qubits)
    for gate in run:
        control, target = gate.wires
        moved[:, target] ^= moved[:, control]
    sources = np.argsort(moved @ (1 << np.arange(qubits)[::-1]))
    return lambda state, factors, z: state[:, sources]


def _shift_phases(run: Sequence[Gate], qubits: int) -> _Move:
    signs = 1 - 2 * index_bits(qubits)
    diagonal = np.stack([signs[:, list(gate.wires)].prod(axis=1) for gate in run], axis=1)
    own = [gate.parameter is not None and gate.parameter.array == INPUT for gate in run]

    def move(state: State, factors: Factors, z: Inputs) -> State:
        angles = _find_angles(run, factors, z) if any(own) else factors[:, None]
        phases = jnp.dot(diagonal.astype(z.dtype), angles) / -2
        cosine, sine = jnp.cos(phases), jnp.sin(phases)
        real, imaginary = state
        return jnp.stack([cosine * real - sine * imaginary, sine * real + cosine * imaginary])

    return move


def _multiply(run: Sequence[Gate], qubits: int) -> _Move:
    wires, middle = [gate.wires[0] for gate in run], qubits // 2

    def move(state: State, factors: Factors, z: Inputs) -> State:
        every = wires == list(range(qubits))
        theta = factors if every else jnp.zeros(qubits, z.dtype).at[np.array(wires)].add(factors)
        c, s = jnp.cos(theta / 2), jnp.sin(theta / 2)
        matrices = jnp.stack([jnp.stack([c, -s], axis=-1), jnp.stack([s, c], axis=-1)], axis=-2)
        high, low = reduce(jnp.kron, matrices[:middle]), reduce(jnp.kron, matrices[middle:])
        split = state.reshape(2, len(high), len(low), -1)
        return jnp.einsum("lk,pjkr->pjlr", low, jnp.einsum("ij,pjkr->pikr", high, split)).reshape(state.shape)

    return move


def _rotate_all(run: Sequence[Gate], qubits: int) -> _Move:
    """One qubit after the other, the first of the layout, which then becomes the last: one small program for all."""

    def rotate(state: Float[Array, "parts strings rows"], angle: Float[Array, " rows"]) -> tuple[State, None]:
        split = _rotate(run[0].kind, state.reshape(2, 2, -1, state.shape[-1]), angle)
        return split.swapaxes(1, 2).reshape(state.shape), None

    return lambda state, factors, z: jax.lax.scan(rotate, state, _collect_angles(run, factors, z))[0]


def _collect_angles(run: Sequence[Gate], factors: Factors, z: Inputs) -> Float[Array, "qubits rows"]:
    """The angle of every qubit and row; 0 where there is no gate."""
    angles, wires = _find_angles(run, factors, z), [gate.wires[0] for gate in run]
    qubits = z.shape[1]
    return (
        angles if wires == list(range(qubits)) else jnp.zeros((qubits, len(z)), z.dtype).at[np.array(wires)].add(angles)
    )


def _find_angles(run: Sequence[Gate], factors: Factors, z: Inputs) -> Float[Array, "gates rows"]:
    places = [gate.parameter.place[0] if gate.parameter and gate.parameter.array == INPUT else None for gate in run]
    if None not in places:
        return factors[:, None] * z.T[np.array(places)]
    ones = jnp.ones(len(z), z.dtype)
    return factors[:, None] * jnp.stack([ones if place is None else z[:, place] for place in places])


def _rotate(
    kind: Kind, state: Float[Array, "parts 2 rest rows"], angle: Float[Array, " rows"]
) -> Float[Array, "parts 2 rest rows"]:
    """exp(-i angle/2 G) = cos(angle/2) + sin(angle/2) (-i G), where -i Y is real and G is X, Y or Z."""
    moved = state if kind == "RZ" else state[:, ::-1]
    turned = moved if kind == "RY" else jnp.stack([moved[1], -moved[0]])
    signs = np.array({"RX": [1, 1], "RY": [-1, 1], "RZ": [1, -1]}[kind])[None, :, None, None]
    cosine, sine = (part[None, None, None] for part in (jnp.cos(angle / 2), jnp.sin(angle / 2)))
    return cosine * state + sine * signs.astype(state.dtype) * turned
