"""How many of a student's parameters change an output, and how many never do.

In: StudentConfig, numbers of features and classes.  Out: Count, count_angles(), count_parameters().
Imports: jax, numpy.
"""

from typing import NamedTuple

import numpy as np

from student_jax.circuit.lightcone import find_light_cone
from student_jax.config import CircuitConfig, StudentConfig
from student_jax.model import name_arrays
from student_jax.parameters import initialise_parameters


class Count(NamedTuple):
    """How many change an output, and how many do not, whatever their values."""

    live: int
    dead: int


def count_angles(circuit: CircuitConfig, classes: int) -> Count:
    """The circuit's angles; dead are those outside the readout's light cone, or diagonal before the measurement."""
    live = np.concatenate([mask.ravel() for mask in find_light_cone(circuit, classes).angles])
    return Count(int(live.sum()), int((~live).sum()))


def count_parameters(config: StudentConfig, dimensions: int, classes: int) -> Count:
    """All trainable parameters; a qubit outside the light cone takes its encoding's weights and bias with it.

    Of a circuit of the user's own nothing is known, so that all of them count as live.
    """
    arrays = name_arrays(initialise_parameters(config, dimensions, classes, np.random.default_rng(0)))
    total = sum(array.size for array in arrays.values())
    if config.circuit.file is not None:
        return Count(total, 0)
    encoding = find_light_cone(config.circuit, classes).encoding
    dead = count_angles(config.circuit, classes).dead + int((~encoding).sum()) * (dimensions + 1)
    return Count(total - dead, dead)
