"""What a student has learned: its arrays, their names, shapes and first values, in NumPy alone.

In: StudentConfig, numbers of features and classes.
Out: Affine, Parameters, initialise_parameters(), draw_affine(), list_shapes(), name_parameters(), arrange_parameters().
Imports: NumPy.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from student_jax.circuit.gates import angle_shapes, count_outputs, fill_angles, sum_rotations
from student_jax.config import StudentConfig

if TYPE_CHECKING:  # takes longer to import than a text to classify
    from jaxtyping import Float


class Affine(NamedTuple):
    """x -> x @ weight + bias, in arrays of NumPy or JAX."""

    weight: "Float[Any, 'inputs outputs']"
    bias: "Float[Any, ' outputs']"


class Parameters(NamedTuple):
    """All trainable parameters of a quantum student; `readout` is None where <Z> is the score itself.

    `angles` are the ansatz's Angles, or a dict of arrays for a circuit of the user's own.
    """

    encoding: Affine
    angles: Any
    readout: Affine | None


def initialise_parameters(
    config: StudentConfig, dimensions: int, classes: int, generator: np.random.Generator
) -> Parameters:
    """Draw a student's parameters.

    w is normal with standard deviation encoding_scale / sqrt(dimensions): features of mean square 1 then give z the
    standard deviation encoding_scale. The angles are uniform within +-angle_scale, the readout's weights normal with
    standard deviation 1 / sqrt(qubits); biases are 0.
    """
    circuit, dtype = config.circuit, np.dtype(config.precision)

    def draw(shape: tuple[int, ...]) -> np.ndarray:
        return generator.uniform(-config.angle_scale, config.angle_scale, shape).astype(dtype)

    encoding = draw_affine(dimensions, circuit.qubits, config.encoding_scale, dtype, generator)
    # A tied angle is the sum of three drawn ones, so that both forms start as the same circuit.
    angles = fill_angles(replace(circuit, rotations="triple"), draw)
    if circuit.rotations == "tied":
        angles = sum_rotations(circuit, angles)
    if circuit.readout == "first":
        return Parameters(encoding, angles, None)
    return Parameters(encoding, angles, draw_affine(count_outputs(circuit, classes), classes, 1.0, dtype, generator))


def draw_affine(inputs: int, outputs: int, scale: float, dtype: np.dtype, generator: np.random.Generator) -> Affine:
    """Normal weights with standard deviation scale / sqrt(inputs), bias 0."""
    weight = generator.normal(0, scale / inputs**0.5, (inputs, outputs))
    return Affine(weight.astype(dtype), np.zeros(outputs, dtype))


def list_shapes(config: StudentConfig, dimensions: int, classes: int) -> dict[str, tuple[int, ...]]:
    """The shape of every array of a student by its name, as `name_parameters` gives them; nothing is allocated."""
    circuit = config.circuit
    shapes = {"encoding.weight": (dimensions, circuit.qubits), "encoding.bias": (circuit.qubits,)}
    shapes |= {f"angles.{name}": shape for name, shape in _order(angle_shapes(circuit)).items()}
    outputs = count_outputs(circuit, classes)
    if circuit.readout == "linear":
        shapes |= {"readout.weight": (outputs, classes), "readout.bias": (classes,)}
    return shapes


def name_parameters(parameters: Parameters) -> dict[str, Any]:
    """The arrays of `parameters` by dotted name, such as encoding.weight or angles.ry, in a pytree's order."""
    angles, readout = parameters.angles, parameters.readout
    named = {f"encoding.{name}": array for name, array in parameters.encoding._asdict().items()}
    angles = _order(angles) if isinstance(angles, dict) else angles._asdict()
    named |= {f"angles.{name}": array for name, array in angles.items()}
    return named | ({f"readout.{name}": array for name, array in readout._asdict().items()} if readout else {})


def arrange_parameters(config: StudentConfig, arrays: Mapping[str, Any]) -> Parameters:
    """The Parameters whose arrays have these names; the inverse of `name_parameters`."""
    names = iter(angle_shapes(config.circuit))
    angles = fill_angles(config.circuit, lambda _: arrays[f"angles.{next(names)}"])
    readout = Affine(arrays["readout.weight"], arrays["readout.bias"]) if config.circuit.readout == "linear" else None
    return Parameters(Affine(arrays["encoding.weight"], arrays["encoding.bias"]), angles, readout)


def _order(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """A dict as JAX flattens it: by its keys."""
    return dict(sorted(arrays.items()))
