"""Exact simulation of the circuit as a few small real matrix products per layer, in plain JAX.

In: a CircuitConfig.  Out: build_fused().  Imports: jax, numpy.

1. After the encoding and the first layer's RY the state is still a product state; with c, s = cos, sin of half the
   summed RY angle, RY (cos z/2, -i sin z/2) = (c cos z/2 + i s sin z/2, s cos z/2 - i c sin z/2).
2. What stands between two layers of RY, and the second of them, is a product of small matrices: blocks.py.
3. The last layer's RZ and RZZ cancel, and its CNOTs only change which product of Z is read: signs.
4. Only the light cone of the measured qubits is simulated: lightcone.py.

Layout: a row per basis state and real or imaginary part, a column per sample.
"""

from collections.abc import Callable
from functools import reduce

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from student_jax.circuit import Angles, measured_wires, neighbours, sum_rotations
from student_jax.config import CircuitConfig
from student_jax.engines.blocks import build_factors, group_sizes, index_bits
from student_jax.engines.evolve import build_evolve
from student_jax.engines.interface import Engine, check_shapes, require_precision
from student_jax.engines.lightcone import find_light_cone, mask_angles

Qubits = Float[Array, "amplitudes batch"]


def build_fused(circuit: CircuitConfig, classes: int, precision: str) -> Engine:
    """The fused engine.

    Args:
        circuit: which circuit.
        classes: number of classes; only readout `first` depends on it.
        precision: `float32` or `float64`.

    Returns:
        Engine, whose gradient needs memory for a handful of states, whatever the number of layers.

    Raises:
        UserError: `precision` is not enabled, or the circuit cannot be read out for so many classes.
    """
    dtype = require_precision(precision)
    cone = find_light_cone(circuit, classes)
    ring = circuit.entanglement == "ring"
    qubits = circuit.qubits if ring else max(2, int(cone.encoding.sum()))  # a chain's cone is its first qubits
    pairs = tuple(pair for pair in neighbours(circuit) if max(pair) < qubits)
    signs = _readout_signs(qubits, pairs, measured_wires(circuit, classes)).astype(dtype)
    build_state, factors, evolve = (
        _build_product(qubits),
        build_factors(qubits, pairs, dtype),
        build_evolve(qubits, ring),
    )

    def run(z: Float[Array, "batch qubits"], angles: Angles) -> Float[Array, "batch outputs"]:
        check_shapes(circuit, z, angles)
        live = sum_rotations(mask_angles(cone, Angles(*(angle.astype(dtype) for angle in angles))))
        ry, rzz, rz = live.ry[:, :qubits, 0], live.rzz[:, : len(pairs)], live.rz[:, :qubits, 0]
        state = build_state(z[:, :qubits].astype(dtype), ry[0])
        if circuit.layers > 1:
            state = evolve(state, factors(ry[1:], rzz[:-1], rz[:-1]))
        values = jnp.dot(signs, state * state)
        # The transpose as a matrix product: XLA would fold a plain one into the product above, and slow it down.
        return jnp.einsum("ob,op->bp", values, np.eye(len(signs), dtype=dtype))

    return run


def _readout_signs(qubits: int, pairs: tuple[tuple[int, int], ...], wires: tuple[int, ...]) -> np.ndarray:
    """The eigenvalues of the measured Z after the CNOTs, for every row before them: shape (outputs, 2 * 2**qubits)."""
    bits = index_bits(qubits)
    for control, target in pairs:
        bits[:, target] ^= bits[:, control]
    return np.repeat(1 - 2 * bits[:, list(wires)], 2, axis=0).T


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
        return (head * real[:, None] + head[:, :, ::-1] * turned).reshape(-1, len(z))

    return build_state


def _tensor(a: tuple[Qubits, Qubits], b: tuple[Qubits, Qubits]) -> tuple[Qubits, Qubits]:
    """The Kronecker product of two complex factors, sample by sample."""
    real = a[0][:, None] * b[0] - a[1][:, None] * b[1]
    imaginary = a[0][:, None] * b[1] + a[1][:, None] * b[0]
    return jax.tree.map(lambda part: part.reshape(-1, part.shape[-1]), (real, imaginary))
