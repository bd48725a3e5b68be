"""Exact simulation of the circuit as a few matrix products per layer, in plain JAX.

In: a CircuitConfig.  Out: build_fused().  Imports: jax, numpy.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from student_jax.circuit import Angles, measured_wires, neighbours, sum_rotations
from student_jax.config import CircuitConfig
from student_jax.engines.interface import Engine, check_shapes, require_precision


def build_fused(circuit: CircuitConfig, classes: int, precision: str) -> Engine:
    """The fused engine: real Kronecker products for RY, one phase vector for RZZ and RZ, a gather for CNOT."""
    dtype = require_precision(precision)
    n = circuit.qubits
    bits = (np.arange(2**n)[:, None] >> np.arange(n)[::-1]) & 1
    moved = bits.copy()
    for control, target in neighbours(circuit):
        moved[:, target] ^= moved[:, control]
    source = np.argsort(moved @ (1 << np.arange(n)[::-1]))
    z_signs = (1 - 2 * bits).astype(dtype)
    zz_signs = np.stack([z_signs[:, i] * z_signs[:, j] for i, j in neighbours(circuit)], axis=1)
    wires = list(measured_wires(circuit, classes))
    high = n // 2

    def run(z: Float[Array, "batch qubits"], angles: Angles) -> Float[Array, "batch outputs"]:
        check_shapes(circuit, z, angles)
        ry, rzz, rz = (a.astype(dtype) for a in sum_rotations(angles))
        state = _product([(jnp.cos(x / 2), -1j * jnp.sin(x / 2)) for x in z.astype(dtype).T])
        for layer in range(circuit.layers):
            left, right = _rotations(ry[layer, :high, 0]), _rotations(ry[layer, high:, 0])
            state = jnp.einsum("bij,ki,lj->bkl", state.reshape(-1, 2**high, 2 ** (n - high)), left, right)
            phase = (zz_signs @ rzz[layer] + z_signs @ rz[layer, :, 0]) / -2
            state = (state.reshape(-1, 2**n) * (jnp.cos(phase) + 1j * jnp.sin(phase)))[:, source]
        return (state.real**2 + state.imag**2) @ z_signs[:, wires]

    return run


def _product(qubits: list[tuple[Array, Array]]) -> Array:
    state = jnp.stack([qubits[0][0] + 0j, qubits[0][1]], axis=-1)
    for zero, one in qubits[1:]:
        state = (state[:, :, None] * jnp.stack([zero + 0j, one], axis=-1)[:, None, :]).reshape(len(zero), -1)
    return state


def _rotations(thetas: Float[Array, " qubits"]) -> Float[Array, "to from"]:
    matrix = jnp.ones((1, 1), thetas.dtype)
    for theta in thetas:
        c, s = jnp.cos(theta / 2), jnp.sin(theta / 2)
        matrix = jnp.kron(matrix, jnp.array([[c, -s], [s, c]]))
    return matrix
