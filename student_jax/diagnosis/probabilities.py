"""Probabilities of what a measurement of all qubits says, bit string by bit string.

In: CircuitConfig.  Out: build_probabilities().  Imports: jax, numpy.
The engines give expectation values alone; shots and noise need the whole distribution, and no gradient of it.
"""

from collections.abc import Callable
from functools import reduce
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from student_jax.circuit.qnode import Angles, neighbours, sum_rotations
from student_jax.config import CircuitConfig
from student_jax.engines.blocks import index_bits

Probabilities: TypeAlias = Callable[[Float[Array, "rows qubits"], Angles], Float[Array, "strings rows"]]


def build_probabilities(circuit: CircuitConfig) -> Probabilities:
    """The function (z, angles) -> probabilities, a column per row of z, in the order of `index_bits`."""
    qubits, pairs = circuit.qubits, neighbours(circuit)
    bits = index_bits(qubits)
    # RX alone gives every basis state the factor -i for each of its ones, and a real magnitude.
    ones = bits.sum(axis=1) % 4
    turns = np.array([[1, 0, -1, 0], [0, -1, 0, 1]], np.float32)[:, ones]
    signs = 1 - 2 * bits
    diagonal = np.concatenate([signs[:, np.array(pairs)].prod(axis=2), signs], axis=1).astype(np.float32)
    sources = _find_sources(bits, pairs)
    halves = slice(0, qubits // 2), slice(qubits // 2, qubits)

    def step(
        state: Float[Array, "parts strings rows"], layer: tuple[Array, Array, Array, Array]
    ) -> tuple[Float[Array, "parts strings rows"], None]:
        high, low, cosine, sine = layer
        split = state.reshape(2, len(high), len(low), -1)
        real, imaginary = jnp.einsum("lk,pjkr->pjlr", low, jnp.einsum("ij,pjkr->pikr", high, split)).reshape(
            state.shape
        )
        turned = jnp.stack([cosine * real - sine * imaginary, sine * real + cosine * imaginary])
        return turned[:, sources], None

    def run(z: Float[Array, "rows qubits"], angles: Angles) -> Float[Array, "strings rows"]:
        ry, rzz, rz = sum_rotations(angles)
        factors = jnp.stack([jnp.cos(z.T / 2), jnp.sin(z.T / 2)], axis=1)
        magnitudes = reduce(lambda a, b: (a[:, None] * b[None]).reshape(-1, a.shape[1]), factors)
        matrices = _rotation_matrices(ry[..., 0])
        high, low = (jax.vmap(lambda layer: reduce(jnp.kron, layer))(matrices[:, half]) for half in halves)
        phases = jnp.dot(jnp.concatenate([rzz, rz[..., 0]], axis=1), diagonal.T)[:, :, None] / -2
        state, _ = jax.lax.scan(
            step, turns[:, :, None] * magnitudes[None], (high, low, jnp.cos(phases), jnp.sin(phases))
        )
        return (state**2).sum(axis=0)

    return run


def _rotation_matrices(theta: Float[Array, "layers qubits"]) -> Float[Array, "layers qubits 2 2"]:
    c, s = jnp.cos(theta / 2), jnp.sin(theta / 2)
    return jnp.stack([jnp.stack([c, -s], axis=-1), jnp.stack([s, c], axis=-1)], axis=-2)


def _find_sources(bits: Int[np.ndarray, "strings qubits"], pairs: tuple[tuple[int, int], ...]) -> np.ndarray:
    """Where the amplitude of each basis state was before a layer's CNOTs."""
    moved = bits.copy()
    for control, target in pairs:
        moved[:, target] ^= moved[:, control]
    return np.argsort(moved @ (1 << np.arange(bits.shape[1])[::-1]))
