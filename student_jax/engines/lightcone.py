"""Which gates can reach a measured expectation value at all, and how many qubits that takes.

In: CircuitConfig, number of classes.  Out: LightCone, find_light_cone(), mask_angles(), cnot_images().
Imports: jax, numpy.

Read backwards in time from the measurement, as operators move (Heisenberg's picture), keeping only two sets of qubits:
where the operators can have an X or Y factor, and where they can have any factor at all (the support).

- A Z measurement moved through the last layer's CNOTs is a product of Z, which commutes with that layer's RZ and RZZ:
  they are dead for every readout.
- RY keeps the support and can turn any Z of it into X.
- CNOTs map X factors to X factors and Z factors to Z factors, linearly over GF(2).
- RZ acts where there is an X factor; RZZ acts on a pair that has one, and adds both qubits of the pair to the support.

With a chain and C >= 2 measured qubits the support of layer l of p is min(n, C + 2 (p - l)) qubits wide.  The sets are
upper bounds of what acts: a gate outside them has exactly zero gradient, for every value of the angles.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool

from student_jax.circuit.qnode import Angles, angle_shapes, measured_wires, neighbours
from student_jax.config import CircuitConfig


class LightCone(NamedTuple):
    """Masks of the gates that act: `encoding` of shape (qubits,), the others with the shapes of Angles."""

    encoding: Bool[np.ndarray, " qubits"]
    ry: Bool[np.ndarray, "layers qubits repeats"]
    rzz: Bool[np.ndarray, "layers pairs"]
    rz: Bool[np.ndarray, "layers qubits repeats"]


def find_light_cone(circuit: CircuitConfig, classes: int) -> LightCone:
    """The gates of `circuit` that can change an expectation value of its readout."""
    pairs = np.array(neighbours(circuit))
    x_image, z_image = cnot_images(circuit.qubits, neighbours(circuit))
    ry, rzz, rz = (np.zeros(shape, bool) for shape in angle_shapes(circuit))
    support: np.ndarray = np.any(z_image[list(measured_wires(circuit, classes))], axis=0)
    ry[-1, support] = True
    for layer in range(circuit.layers - 2, -1, -1):
        flips: np.ndarray = np.any(x_image[support], axis=0)
        rz[layer, flips] = True
        rzz[layer] = flips[pairs].any(axis=1)
        support = flips | np.any(z_image[support], axis=0)
        support[pairs[rzz[layer]].ravel()] = True
        ry[layer, support] = True
    return LightCone(encoding=support, ry=ry, rzz=rzz, rz=rz)


def mask_angles(cone: LightCone, angles: Angles) -> Angles:
    """`angles` with the dead ones replaced by zero, so that their gradients are exactly zero, too."""
    masked = (jnp.where(live, angle, jnp.zeros_like(angle)) for live, angle in zip(cone[1:], angles, strict=True))
    return Angles(*masked)


def cnot_images(qubits: int, pairs: Sequence[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Row k: the qubits that an X (a Z) on qubit k covers when it is moved back through a layer's CNOTs."""
    x_image = np.eye(qubits, dtype=bool)
    z_image = np.eye(qubits, dtype=bool)
    for control, target in reversed(pairs):
        x_image[:, target] ^= x_image[:, control]
        z_image[:, control] ^= z_image[:, target]
    return x_image, z_image
