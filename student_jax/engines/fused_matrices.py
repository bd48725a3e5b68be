"""A layer's gates as stacks of small real matrices, one stack per group of qubits.

In: qubits, pairs, group sizes; the angles of the layers.  Out: Factors, group_sizes(), build_factors().
Imports: jax, numpy.

Between two layers of RY stand the phases (RZZ, RZ: one diagonal) and the CNOTs.  The ascending CNOT chain maps bits x
to their prefix XOR, y_k = x_0 ^ ... ^ x_k.  Cut the bits in groups.  Inside a group the map is the group's own prefix
XOR, with all bits flipped where the groups before it have odd parity; and that parity can be read off the row index as
long as the groups before have not been rotated yet.  So the last group is rotated first, with a matrix (RY times
permutation) per value of the bits before it; then the group before it; the first group last, with one matrix.

The phases go into the last group's matrices.  Split the phase of (h, x), h the bits before the group and x the group's,
into alpha(h), of the gates wholly before the group, and beta(key, x), of all others, where key says what they see of h:
its last bit and, in a ring, its first.  As exp(i alpha) exp(i beta) is a sum of two products, the whole stack is one
matrix product of a (rows of h) x (2 keys) and a (2 keys) x (matrix entries) factor; so are the other groups' stacks,
with the parity as key.  These factors are small, and their gradients come from ordinary differentiation.

A complex amplitude is a pair of rows (real, imaginary), the lowest bit of the row index; multiplying with exp(i beta)
is then a real 2 x 2 rotation.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, DTypeLike, Float

from student_jax.circuit.notation import index_bits

QUARTER_TURN = np.array([[0, -1], [1, 0]])  # multiplication by i


class Factors(NamedTuple):
    """A stack of matrices per layer: stack[l, h] = sum over keys of left[l, h, key] * right[l, key]."""

    left: Float[Array, "layers rows keys"]
    right: Float[Array, "layers keys to from"]


def group_sizes(qubits: int) -> tuple[int, ...]:
    """How the qubits are cut: groups of at most 4, the last of at most 3.

    16 x 16 matrices need the fewest operations of all at the speed of a matrix product; the last group's become twice
    as large by (real, imaginary).
    """
    last = min(3, qubits)
    before = qubits - last
    count = -(-before // 4)
    return (*(before // count + (i < before % count) for i in range(count)), last)


def rotation_matrices(thetas: Float[Array, "layers qubits"]) -> Float[Array, "layers to from"]:
    """RY on every qubit of a group: the Kronecker product of [[cos, -sin], [sin, cos]] of half the angles."""
    trigonometry = jnp.stack([jnp.cos(thetas / 2), jnp.sin(thetas / 2)], axis=-1)
    # By a matrix product, because XLA would otherwise compute cos and sin anew for every entry of the result.
    basis = np.stack([np.eye(2), QUARTER_TURN]).reshape(2, 4).astype(thetas.dtype)
    gates = jnp.dot(trigonometry, basis).reshape(*thetas.shape, 2, 2)
    product = gates[:, 0]
    for k in range(1, thetas.shape[1]):
        size = 2 * product.shape[1]
        product = (product[:, :, None, :, None] * gates[:, k, None, :, None, :]).reshape(-1, size, size)
    return product


def build_factors(
    qubits: int, pairs: Sequence[tuple[int, int]], dtype: DTypeLike
) -> Callable[[Array, Array, Array], tuple[Factors, ...]]:
    """The function (ry, rzz, rz) -> Factors of every group, the last group first.

    Its arguments, one row per layer: the RY angles after the CNOTs, the RZZ and RZ angles before them.
    In a ring the first stack is the phases alone, because the ring's last CNOT stands between them and the rest.
    """
    *others, last = group_sizes(qubits)
    before = qubits - last
    ring = len(pairs) == qubits
    phases = _build_phases(qubits, last, pairs, dtype)
    rotated = [*others, last] if ring else others
    starts = np.cumsum([0, *others]).tolist()
    parities = [np.eye(2)[np.bitwise_count(np.arange(2**start)) % 2].astype(dtype) for start in starts]
    groups = [
        (start, size, parities[k], _prefix_xor(size).astype(dtype))
        for k, (start, size) in enumerate(zip(starts, rotated, strict=False))
    ]

    def factors(
        ry: Float[Array, "layers qubits"], rzz: Float[Array, "layers pairs"], rz: Float[Array, "layers qubits"]
    ) -> tuple[Factors, ...]:
        rotations = None if ring else rotation_matrices(ry[:, before:])
        stacks = [phases(rotations, jnp.concatenate([rzz, rz], axis=1))]
        for start, size, parity, shift in reversed(groups):
            right = jnp.einsum("lij,kjx->lkix", rotation_matrices(ry[:, start : start + size]), shift)
            stacks.append(Factors(jnp.broadcast_to(jnp.asarray(parity), (len(ry), *parity.shape)), right))
        return tuple(stacks)

    return factors


def _prefix_xor(size: int) -> np.ndarray:
    """The permutation matrices x -> prefix XOR of x, without and with all bits flipped: shape (2, 2**size, 2**size)."""
    image = (np.cumsum(index_bits(size), axis=1) % 2) @ (1 << np.arange(size)[::-1])
    plain = np.eye(2**size)[:, image]
    return np.stack([plain, plain[::-1]])


def _build_phases(qubits: int, last: int, pairs: Sequence[tuple[int, int]], dtype: DTypeLike) -> Callable[..., Factors]:
    before = qubits - last
    touches_last = np.array([max(pair) >= before for pair in pairs] + [qubit >= before for qubit in range(qubits)])

    def signs(bits: np.ndarray) -> np.ndarray:
        z = 1 - 2 * bits
        return np.concatenate([np.stack([z[..., i] * z[..., j] for i, j in pairs], axis=-1), z], axis=-1)

    rows = np.pad(index_bits(before), ((0, 0), (0, last)))
    ring = len(pairs) == qubits
    first_bits = (0, 1) if ring else (0,)  # only a ring's last gate sees the first bit
    keys = [(parity, end, first) for parity in (0, 1) for end in (0, 1) for first in first_bits]
    seen = np.zeros((len(keys), 2**last, qubits), int)
    for bits, (_, end, first) in zip(seen, keys, strict=True):
        bits[:, 0], bits[:, before - 1], bits[:, before:] = first, end, index_bits(last)
    key_of_row = [keys.index((int(row.sum() % 2), int(row[before - 1]), int(row[0]) * ring)) for row in rows]
    one_hot = np.eye(len(keys))[key_of_row].astype(dtype)
    alpha_signs = (signs(rows) * ~touches_last).astype(dtype)
    beta_signs = (signs(seen) * touches_last).astype(dtype)
    shifts = _prefix_xor(last)[[parity for parity, _, _ in keys]].astype(dtype)
    alone = np.broadcast_to(np.eye(2**last, dtype=dtype), (1, len(keys), 2**last, 2**last))
    # exp(i alpha) exp(i beta) = cos(alpha) exp(i beta) + sin(alpha) i exp(i beta), each a 2 x 2 real matrix.
    turns = np.array([[np.eye(2), QUARTER_TURN], [QUARTER_TURN, -np.eye(2)]]).astype(dtype)

    def phases(rotations: Float[Array, "layers to from"] | None, angles: Float[Array, "layers gates"]) -> Factors:
        alpha = jnp.dot(angles, alpha_signs.T) / -2
        beta = jnp.einsum("lg,kxg->lkx", angles, beta_signs) / -2
        left = one_hot[None, :, :, None] * jnp.stack([jnp.cos(alpha), jnp.sin(alpha)], axis=-1)[:, :, None, :]
        phase = jnp.einsum("lkxs,stuv->lktxuv", jnp.stack([jnp.cos(beta), jnp.sin(beta)], axis=-1), turns)
        moved = alone if rotations is None else jnp.einsum("lij,kjx->lkix", rotations, shifts)
        right = jnp.einsum("lkix,lktxuv->lktiuxv", jnp.broadcast_to(moved, (len(angles), *moved.shape[1:])), phase)
        size = 2 * 2**last
        return Factors(jnp.reshape(left, (*alpha.shape, -1)), right.reshape(len(angles), -1, size, size))

    return phases
