"""How much an angle moves an output on average: where that vanishes, training from a random start finds no way.

In: CircuitConfig, number of classes.  Out: GradientVariance, measure_gradient_variance(), tabulate_gradients().
Imports: jax, numpy.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from student_jax.circuit.gates import fill_angles
from student_jax.circuit.notation import index_bits, measured_wires
from student_jax.config import CircuitConfig
from student_jax.diagnosis.probabilities import build_probabilities, turned_gates


class GradientVariance(NamedTuple):
    """Variance of the derivative of an output: of the first, and of the last one.

    Moved back through the last layer's CNOT chain, the first <Z> is that of one qubit, the last that of a product of
    all measured qubits and those before them.
    """

    first: float
    last: float


def measure_gradient_variance(
    circuit: CircuitConfig, classes: int, samples: int = 1000, seed: int = 0
) -> GradientVariance:
    """Variance, over uniformly random angles and encodings, of an output's derivative by the first RY angle.

    Where it falls exponentially with the number of qubits, gradient descent does not find its way from a random start
    (a barren plateau; McClean et al. 2018, arXiv:1803.11173).  The derivative is exact: half the difference of the
    values a quarter turn further and a quarter turn back (parameter shift; Schuld et al. 2019, arXiv:1811.11184).

    Raises:
        UserError: more classes than readout `first` can read.
    """
    wires = measured_wires(circuit, classes)
    signs = 1 - 2 * index_bits(circuit.qubits)[:, [wires[0], wires[-1]]].astype(np.float32)
    random = np.random.default_rng(seed)

    def draw(shape: tuple[int, ...]) -> np.ndarray:
        return random.uniform(-np.pi, np.pi, (samples, *shape)).astype(np.float32)

    z, angles = draw((1, circuit.qubits)), fill_angles(circuit, draw)
    simulate = build_probabilities(circuit)
    array, place = next(gate.parameter for gate in turned_gates(circuit) if gate.kind == "RY" and gate.parameter)
    quarter = fill_angles(circuit, lambda shape: np.zeros(shape, np.float32))
    getattr(quarter, array)[place] = np.pi / 2

    def differentiate(draw: tuple[Any, Any]) -> jax.Array:
        z, angles = draw
        ahead, back = (simulate(z, jax.tree.map(turn, angles, quarter))[:, 0] for turn in (jnp.add, jnp.subtract))
        return jnp.dot(ahead - back, signs) / 2

    # One after the other: side by side, the samples of a wide circuit would not fit into memory.
    derivatives = jax.jit(lambda arrays: jax.lax.map(differentiate, arrays))((z, angles))
    return GradientVariance(*map(float, np.var(derivatives, axis=0)))


def tabulate_gradients(
    circuit: CircuitConfig, classes: int, qubits: Sequence[int], layers: Sequence[int], seed: int = 0
) -> list[dict[str, Any]]:
    """The variances of circuits like `circuit`, a row per number of layers and of qubits.

    Raises:
        UserError: fewer qubits than readout `first` needs.
    """
    return [
        {"layers": depth, "qubits": width}
        | measure_gradient_variance(replace(circuit, qubits=width, layers=depth), classes, seed=seed)._asdict()
        for depth in layers
        for width in qubits
    ]
