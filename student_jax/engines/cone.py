"""What the fast engines simulate of a circuit: the light cone of its readout, rotations summed.

In: a CircuitConfig of the ansatz `layers`.  Out: Cone, cut_cone().  Imports: jax.
"""

from collections.abc import Callable
from typing import NamedTuple

from jaxtyping import Array, Float

from student_jax.circuit.gates import sum_rotations
from student_jax.circuit.layers import Angles
from student_jax.circuit.lightcone import find_light_cone, mask_angles
from student_jax.circuit.notation import measured_wires, neighbours
from student_jax.config import CircuitConfig
from student_jax.engines.interface import check_shapes, require_precision
from teacher_cache.errors import UserError


class Cone(NamedTuple):
    """The first `qubits` qubits, the `pairs` on them, the measured `wires`, and what takes the arguments of these.

    `take` is (z, angles) of the whole circuit -> z (batch, qubits), RY (layers, qubits), RZZ (layers, pairs),
    RZ (layers, qubits) of the cone, in the engine's precision; dead angles are zero.
    """

    qubits: int
    pairs: tuple[tuple[int, int], ...]
    wires: tuple[int, ...]
    take: Callable[[Array, Angles], tuple[Array, Array, Array, Array]]


def cut_cone(name: str, circuit: CircuitConfig, classes: int, precision: str) -> Cone:
    """The cone that the engine called `name` simulates.

    Raises:
        UserError: another ansatz; `precision` is not enabled; the circuit cannot be read out for so many classes.
    """
    if circuit.ansatz != "layers":
        raise UserError(
            f"engine {name} simulates the ansatz layers alone, got {circuit.ansatz}; "
            "take engine default.qubit, lightning.qubit or auto"
        )
    dtype, cone = require_precision(precision), find_light_cone(circuit, classes)
    # A chain's cone is its first qubits; a ring has none.
    qubits = circuit.qubits if circuit.entanglement == "ring" else max(2, int(cone.encoding.sum()))
    pairs = tuple(pair for pair in neighbours(circuit) if max(pair) < qubits)

    def take(z: Float[Array, "batch qubits"], angles: Angles) -> tuple[Array, Array, Array, Array]:
        check_shapes(circuit, z, angles)
        live = sum_rotations(circuit, mask_angles(cone, Angles(*(angle.astype(dtype) for angle in angles))))
        ry, rzz, rz = live.ry[:, :qubits, 0], live.rzz[:, : len(pairs)], live.rz[:, :qubits, 0]
        return z[:, :qubits].astype(dtype), ry, rzz, rz

    return Cone(qubits, pairs, measured_wires(circuit, classes), take)
