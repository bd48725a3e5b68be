"""What the quantum student is measured against: the same trainer, features and soft labels, another model.

In: StudentConfig, numbers of features and classes.  Out: CONTROLS, build_control().  Imports: jax, numpy.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from student_jax.circuit.gates import angle_shapes, list_gates
from student_jax.config import StudentConfig
from student_jax.engines.separate import build_separate
from student_jax.model import Model, apply_affine, assemble_model, build_model, count_trainable
from student_jax.parameters import Affine, draw_affine
from teacher_cache.errors import UserError

CONTROLS = ("linear", "mlp", "no_entanglement", "frozen_circuit")


class Layers(NamedTuple):
    """Parameters of the MLP."""

    hidden: Affine
    output: Affine


def build_control(name: str, config: StudentConfig, dimensions: int, classes: int) -> Model:
    """The control called `name`, one of CONTROLS.

    `linear`: one affine map. `mlp`: one hidden layer of tanh, as wide as the student's number of trainable parameters
    allows. `no_entanglement`: the student's circuit without its gates on two qubits. `frozen_circuit`: the student, its
    angles left as they were drawn.

    Raises:
        UserError: as build_model; or `no_entanglement` of a circuit of the user's own.
    """
    student = build_model(config, dimensions, classes)
    if config.circuit.file is not None and name == "no_entanglement":
        raise UserError("comparators must leave out no_entanglement for a circuit of your own, got it")
    if name == "linear":
        return _build_linear(config, dimensions, classes)
    if name == "mlp":
        return _build_mlp(config, dimensions, classes, count_trainable(student))
    if name == "no_entanglement":
        model = assemble_model(build_separate(config.circuit, classes), config, dimensions, classes)
        between = {
            gate.parameter.array for gate in list_gates(config.circuit) if gate.parameter and len(gate.wires) == 2
        }
        return model._replace(rates={**model.rates, **{f"angles.{array}": 0.0 for array in between}})
    if name == "frozen_circuit":
        return student._replace(rates={f"angles.{array}": 0.0 for array in angle_shapes(config.circuit)})
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

    return Model(initialise, apply, {}, penalised=["hidden.weight"], readout=["output.weight"])
