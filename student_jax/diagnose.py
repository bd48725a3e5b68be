"""Which of a circuit's parameters can move an output, and how much they do on average.

In: CircuitConfig, number of classes.  Out: count_dead(), measure_gradient_variance().  Imports: jax, numpy.
"""

import jax
import jax.numpy as jnp
import numpy as np

from student_jax.circuit import Angles, angle_shapes
from student_jax.config import CircuitConfig
from student_jax.engines import build_engine
from student_jax.engines.lightcone import find_light_cone


def count_dead(circuit: CircuitConfig, classes: int) -> int:
    """How many angles change no output: outside the readout's light cone, or diagonal before the measurement."""
    _, *angles = find_light_cone(circuit, classes)
    return sum(int((~live).sum()) for live in angles)


def measure_gradient_variance(circuit: CircuitConfig, classes: int, samples: int = 200, seed: int = 0) -> float:
    """Variance, over uniformly random angles, of the derivative of the first output by the first RY angle.

    Where it falls exponentially with the number of qubits, gradient descent does not find its way from a random start
    (a barren plateau; McClean et al. 2018, arXiv:1803.11173).
    """
    engine = build_engine("fused", circuit, classes, "float32")
    random = np.random.default_rng(seed)
    draw = [
        jnp.asarray(random.uniform(-np.pi, np.pi, (samples, *shape)), jnp.float32)
        for shape in ((1, circuit.qubits), *angle_shapes(circuit))
    ]

    def derivative(z: jax.Array, ry: jax.Array, rzz: jax.Array, rz: jax.Array) -> jax.Array:
        return jax.grad(lambda ry: engine(z, Angles(ry, rzz, rz))[0, 0])(ry)[0, 0, 0]

    # One after the other: side by side, the samples of a wide circuit would not fit into memory.
    derivatives = jax.jit(lambda arrays: jax.lax.map(lambda arguments: derivative(*arguments), arrays))(tuple(draw))
    return float(jnp.var(derivatives))
