"""What the quantum student is measured against: the same trainer, features and soft labels, another model.

In: StudentConfig, numbers of features and classes.  Out: CONTROLS, build_control().  Imports: jax, numpy.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from student_jax.circuit.qnode import Angles, sum_rotations
from student_jax.config import StudentConfig
from student_jax.engines import Engine
from student_jax.model import Affine, Model, apply_affine, assemble_model, build_model, count_trainable, draw_affine
from teacher_cache.errors import UserError

CONTROLS = ("linear", "mlp", "no_entanglement", "frozen_circuit")


class Layers(NamedTuple):
    """Parameters of the MLP."""

    hidden: Affine
    output: Affine


def build_control(name: str, config: StudentConfig, dimensions: int, classes: int) -> Model:
    """The control called `name`, one of CONTROLS.

    `linear`: one affine map. `mlp`: one hidden layer of tanh, as wide as the student's number of trainable parameters
    allows. `no_entanglement`: the student's circuit without RZZ and CNOT. `frozen_circuit`: the student, its angles
    left as they were drawn.

    Raises:
        UserError: as build_model; or `no_entanglement` of a circuit of the user's own.
    """
    student = build_model(config, dimensions, classes)
    if config.circuit.file is not None and name == "no_entanglement":
        raise UserError("evaluate.controls must leave out no_entanglement for a circuit of your own, got it")
    if name == "linear":
        return _build_linear(config, dimensions, classes)
    if name == "mlp":
        return _build_mlp(config, dimensions, classes, count_trainable(student))
    if name == "no_entanglement":
        model = assemble_model(_simulate_separate_qubits(config, classes), config, dimensions, classes)
        return model._replace(rates={**model.rates, "angles.rzz": 0.0})
    if name == "frozen_circuit":
        arrays = config.circuit.arrays if config.circuit.file is not None else Angles._fields
        return student._replace(rates={f"angles.{array}": 0.0 for array in arrays})
    raise ValueError(f"control must be one of {', '.join(CONTROLS)}, got {name}")


def _build_linear(config: StudentConfig, dimensions: int, classes: int) -> Model:
    def initialise(generator: np.random.Generator) -> Affine:
        return draw_affine(dimensions, classes, config.encoding_scale, np.dtype(config.precision), generator)

    return Model(initialise, apply_affine, {}, penalised=["weight"])


def _build_mlp(config: StudentConfig, dimensions: int, classes: int, parameters: int) -> Model:
    width = (parameters - classes) // (dimensions + 1 + classes)

    def initialise(generator: np.random.Generator) -> Layers:
        dtype = np.dtype(config.precision)
        hidden = draw_affine(dimensions, width, config.encoding_scale, dtype, generator)
        return Layers(hidden, draw_affine(width, classes, 1.0, dtype, generator))

    def apply(layers: Layers, features: Float[Array, "rows dimensions"]) -> Float[Array, "rows classes"]:
        return apply_affine(layers.output, jnp.tanh(apply_affine(layers.hidden, features)))

    return Model(initialise, apply, {}, penalised=["hidden.weight"])


def _simulate_separate_qubits(config: StudentConfig, classes: int) -> Engine:
    """An engine for the circuit without its two-qubit gates: each qubit's Bloch vector is rotated on its own.

    RX(z) takes |0> to (0, -sin z, cos z); RY and RZ turn the vector about the y and the z axis.
    """
    outputs = config.circuit.qubits if config.circuit.readout == "linear" else classes

    def run(z: Float[Array, "rows qubits"], angles: Angles) -> Float[Array, "rows outputs"]:
        ry, _, rz = sum_rotations(angles)
        x_axis, y_axis, z_axis = jnp.zeros_like(z), -jnp.sin(z), jnp.cos(z)
        for about_y, about_z in zip(ry[:, None, :, 0], rz[:, None, :, 0], strict=True):
            sin, cos = jnp.sin(about_y), jnp.cos(about_y)
            x_axis, z_axis = x_axis * cos + z_axis * sin, z_axis * cos - x_axis * sin
            sin, cos = jnp.sin(about_z), jnp.cos(about_z)
            x_axis, y_axis = x_axis * cos - y_axis * sin, x_axis * sin + y_axis * cos
        return z_axis[:, :outputs]

    return run
