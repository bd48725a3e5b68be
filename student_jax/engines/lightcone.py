"""Which gates can reach a measured expectation value at all, and how many qubits that takes.

In: CircuitConfig, number of classes.  Out: LightCone, find_light_cone(), mask_angles().  Imports: numpy, jax.

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

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from student_jax.circuit import Angles, angle_shapes, measured_wires, neighbours
from student_jax.config import CircuitConfig


class LightCone(NamedTuple):
    """Masks of the gates that act: `encoding` (qubits,), `angles` with the shapes of Angles, all bool."""

    encoding: np.ndarray
    angles: Angles


def find_light_cone(circuit: CircuitConfig, classes: int) -> LightCone:
    """The gates of `circuit` that can change an expectation value of its readout."""
    n, pairs = circuit.qubits, neighbours(circuit)
    x_image, z_image = _cnot_images(circuit)
    live = Angles(*(np.zeros(shape, bool) for shape in angle_shapes(circuit)))
    support = z_image[list(measured_wires(circuit, classes))].any(axis=0)
    live.ry[-1, support] = True
    for layer in range(circuit.layers - 2, -1, -1):
        flips = x_image[support].any(axis=0)
        support = flips | z_image[support].any(axis=0)
        live.rz[layer, flips] = True
        for index, (i, j) in enumerate(pairs):
            live.rzz[layer, index] = flips[i] or flips[j]
        support |= np.array([any(live.rzz[layer, k] and q in pair for k, pair in enumerate(pairs)) for q in range(n)])
        live.ry[layer, support] = True
    return LightCone(encoding=support, angles=live)


def mask_angles(cone: LightCone, angles: Angles) -> Angles:
    """`angles` with the dead ones replaced by zero, so that their gradients are exactly zero, too."""
    return jax.tree.map(lambda live, angle: jnp.where(live, angle, jnp.zeros_like(angle)), cone.angles, angles)


def _cnot_images(circuit: CircuitConfig) -> tuple[np.ndarray, np.ndarray]:
    """Row k: the qubits that an X (a Z) on qubit k covers when it is moved back through a layer's CNOTs."""
    x_image = np.eye(circuit.qubits, dtype=bool)
    z_image = np.eye(circuit.qubits, dtype=bool)
    for control, target in reversed(neighbours(circuit)):
        x_image[:, target] ^= x_image[:, control]
        z_image[:, control] ^= z_image[:, target]
    return x_image, z_image
