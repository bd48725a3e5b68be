"""Probabilities of what a measurement of all qubits says, bit string by bit string, from the list of gates.

In: CircuitConfig.  Out: build_probabilities(), turned_gates().  Imports: jax, numpy.
The engines give expectation values alone; shots and noise need the whole distribution, and no gradient of it.

An encoding by RX gives a product state, written down at once.  What follows is cut after every run of CNOTs; blocks of
the same gates in a row, as an ansatz's layers are, are one loop.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby, takewhile
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from student_jax.circuit.gates import angle_shapes, list_gates, sum_rotations
from student_jax.circuit.notation import INPUT, Gate
from student_jax.config import CircuitConfig
from student_jax.diagnosis.statevector import State, build_block, build_start

# (z (rows, qubits), the ansatz's Angles, optionally a sign for each of `turned_gates`) -> probabilities (strings, rows)
Probabilities: TypeAlias = Callable[..., Float[Array, "strings rows"]]


class _Block(NamedTuple):
    """Gates up to and with a run of CNOTs, and where the factors of its turned gates stand among all factors."""

    gates: tuple[Gate, ...]
    factors: slice


def turned_gates(circuit: CircuitConfig) -> list[Gate]:
    """The gates that have an angle, in order of time, equal rotations in a row as one."""
    return [gate for gate in list_gates(replace(circuit, rotations="tied")) if gate.parameter is not None]


def build_probabilities(circuit: CircuitConfig) -> Probabilities:
    """The function (z, angles, signs=None) -> probabilities, a column per row of z, in the order of `index_bits`.

    `signs` multiplies the angles gate by gate, for the errors of noise.py.
    """
    gates, places = list_gates(replace(circuit, rotations="tied")), _place_parameters(circuit)
    leading = list(takewhile(lambda gate: gate.kind == "RX", gates))
    start = leading if len(leading) == circuit.qubits else []
    blocks = list(_cut_blocks(gates[len(start) :], len(start)))
    loops = [(kind, list(loop)) for kind, loop in groupby(blocks, key=lambda block: _ignore_trained(block.gates))]

    def run(
        z: Float[Array, "rows qubits"], angles: Any, signs: Float[Array, " gates"] | None = None
    ) -> Float[Array, "strings rows"]:
        arrays = jax.tree.leaves(sum_rotations(circuit, angles))
        factors = jnp.concatenate([*(jnp.ravel(array) for array in arrays), jnp.ones(1, z.dtype)])[places]
        factors = factors if signs is None else factors * signs
        state = build_start(start, factors[: len(start)], z)
        for kind, loop in loops:
            apply = build_block(kind, z)

            def step(state: State, own: Array, apply: Callable[[State, Array], State] = apply) -> tuple[State, None]:
                return apply(state, own), None

            state, _ = jax.lax.scan(step, state, jnp.stack([factors[block.factors] for block in loop]))
        return (state**2).sum(axis=0)

    return run


def _place_parameters(circuit: CircuitConfig) -> np.ndarray:
    """Where each turned gate's angle stands in the flattened trainable arrays; inputs stand for a 1 behind them."""
    shapes = angle_shapes(replace(circuit, rotations="tied"))
    starts = np.cumsum([0, *(int(np.prod(shape)) for shape in shapes.values())])
    start_of = dict(zip([*shapes, INPUT], starts.tolist(), strict=True))
    parameters = [gate.parameter for gate in turned_gates(circuit) if gate.parameter is not None]
    return np.array(
        [
            start_of[array] + (0 if array == INPUT else int(np.ravel_multi_index(place, shapes[array])))
            for array, place in parameters
        ]
    )


def _cut_blocks(gates: Sequence[Gate], done: int) -> Iterator[_Block]:
    """Cut `gates` after every run of CNOTs; `done` factors belong to what comes before."""
    block: list[Gate] = []
    for gate, following in zip(gates, (*gates[1:], None), strict=True):
        block.append(gate)
        if following is None or (gate.kind == "CNOT" and following.kind != "CNOT"):
            turned = sum(one.parameter is not None for one in block)
            yield _Block(tuple(block), slice(done, done + turned))
            block, done = [], done + turned


def _ignore_trained(gates: Sequence[Gate]) -> tuple[Gate, ...]:
    """The gates without saying which trainable angle turns them: what the blocks of one loop have in common."""
    return tuple(
        gate if gate.parameter is None or gate.parameter.array == INPUT else gate._replace(parameter=None)
        for gate in gates
    )
