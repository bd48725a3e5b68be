"""Exact simulation of the ansatz `layers` as a few small real matrix products per layer, in plain JAX.

In: a CircuitConfig.  Out: build_fused().  Imports: jax, numpy.

1. After the encoding and the first layer's RY the state is still a product state; with c, s = cos, sin of half the
   summed RY angle, RY (cos z/2, -i sin z/2) = (c cos z/2 + i s sin z/2, s cos z/2 - i c sin z/2).
2. What stands between two layers of RY, and the second of them, is a product of small matrices: fused_matrices.py.
3. The last layer's RZ and RZZ cancel, and its CNOTs only change which product of Z is read: signs.
4. Only the light cone of the measured qubits is simulated: cone.py.

Layout: a row per basis state and real or imaginary part, a column per sample.
"""

from collections.abc import Callable, Sequence
from functools import reduce

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, DTypeLike, Float

from student_jax.circuit.layers import Angles
from student_jax.circuit.notation import index_bits
from student_jax.config import CircuitConfig
from student_jax.engines.cone import cut_cone
from student_jax.engines.fused_evolution import PRECISION, build_evolve
from student_jax.engines.fused_matrices import build_factors, group_sizes
from student_jax.engines.interface import Engine, require_precision

Qubits = Float[Array, "_ batch"]


def build_fused(circuit: CircuitConfig, classes: int, precision: str) -> Engine:
    """The fused engine.

    Args:
        circuit: which circuit.
        classes: number of classes; only readout `first` depends on it.
        precision: `float32` or `float64`.

    Returns:
        Engine, whose gradient needs memory for a handful of states, whatever the number of layers.

    Raises:
        UserError: another ansatz; `precision` is not enabled; the circuit cannot be read out for so many classes.
    """
    cone = cut_cone("fused", circuit, classes, precision)
    dtype, qubits = require_precision(precision), cone.qubits
    build_state = _build_product(qubits)
    factors = build_factors(qubits, cone.pairs, dtype)
    evolve = build_evolve(qubits, ring=circuit.entanglement == "ring")
    read = _build_readout(_move_back(cone.wires, qubits, cone.pairs), dtype)

    def run(z: Float[Array, "batch qubits"], angles: Angles) -> Float[Array, "batch outputs"]:
        z, ry, rzz, rz = cone.take(z, angles)
        with jax.default_matmul_precision(PRECISION):
            state = build_state(z, ry[0])
            if circuit.layers > 1:
                state = evolve(state, factors(ry[1:], rzz[:-1], rz[:-1]))
            return read(state)

    return run


def _move_back(
    wires: Sequence[int], qubits: int, pairs: Sequence[tuple[int, int]]
) -> Bool[np.ndarray, "outputs qubits"]:
    """Row k: the qubits that a Z on the k-th of `wires` covers, moved back through the CNOTs of the last layer."""
    strings = np.eye(qubits, dtype=bool)[list(wires)]
    for control, target in reversed(pairs):
        strings[:, control] ^= strings[:, target]
    return strings


def _build_readout(strings: Bool[np.ndarray, "outputs qubits"], dtype: DTypeLike) -> Callable[[Array], Array]:
    """The function state -> expectation values of products of Z; `strings` says of which qubits.

    A product's eigenvalue is its sign on the first half of the bits times its sign on the second; different products
    have few different second halves, which are summed first.
    """
    qubits = strings.shape[1]
    low, which = np.unique(strings[:, qubits // 2 :], axis=0, return_inverse=True)
    low_signs = np.repeat(_signs(low), 2, axis=1).astype(dtype)  # real and imaginary parts
    high_signs = (_signs(strings[:, : qubits // 2])[:, :, None] * np.eye(len(low))[which][:, None, :]).astype(dtype)

    def read(state: Float[Array, "rows batch"]) -> Float[Array, "batch outputs"]:
        squares = (state * state).reshape(high_signs.shape[1], low_signs.shape[1], -1)
        sums = jnp.einsum("jx,hxb->hjb", low_signs, squares)
        return jnp.einsum("ohj,hjb->bo", high_signs, sums)

    return read


def _signs(strings: Bool[np.ndarray, "outputs qubits"]) -> np.ndarray:
    """The eigenvalues of products of Z on all basis states: shape (outputs, 2**qubits)."""
    return 1 - 2 * (strings @ index_bits(strings.shape[1]).T % 2)


def _build_product(qubits: int) -> Callable[[Array, Array], Array]:
    stops = np.cumsum(group_sizes(qubits))
    groups = [range(start, stop) for start, stop in zip((0, *stops), stops, strict=False)]

    def build_state(z: Float[Array, "batch qubits"], theta: Float[Array, " qubits"]) -> Float[Array, "rows batch"]:
        encoding = jnp.stack([jnp.cos(z.T / 2), jnp.sin(z.T / 2)], axis=1)
        c, s = jnp.cos(theta / 2), jnp.sin(theta / 2)
        zero = jnp.zeros_like(c)
        gates = jnp.stack([c, zero, s, zero, zero, s, zero, -c], axis=-1).reshape(qubits, 4, 2)
        real, imaginary = jnp.split(jnp.einsum("qij,qjb->qib", gates, encoding), 2, axis=1)
        parts = [reduce(_tensor, [(real[qubit], imaginary[qubit]) for qubit in group]) for group in groups]
        *heads, (real, imaginary) = parts
        if not heads:
            return jnp.stack([real, imaginary], axis=1).reshape(-1, len(z))
        # The large, last product writes real and imaginary rows in one pass: a * re + (i a) * im.
        head = jnp.stack(reduce(_tensor, heads), axis=1)[:, None]
        turned = jnp.stack([-imaginary, imaginary], axis=1)
        return (head * real[None, :, None] + head[:, :, ::-1] * turned[None]).reshape(-1, len(z))

    return build_state


def _tensor(a: tuple[Qubits, Qubits], b: tuple[Qubits, Qubits]) -> tuple[Qubits, Qubits]:
    """The Kronecker product of two complex factors, sample by sample."""
    (real_a, imaginary_a), (real_b, imaginary_b) = [part[:, None] for part in a], [part[None] for part in b]
    real = real_a * real_b - imaginary_a * imaginary_b
    imaginary = real_a * imaginary_b + imaginary_a * real_b
    return jax.tree.map(lambda part: part.reshape(-1, part.shape[-1]), (real, imaginary))
