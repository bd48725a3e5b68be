"""What is left of a trained student's accuracy on a machine with few shots and noisy gates.

In: a Checkpoint, a Split.  Out: Outcome, measure_robustness(), sample_expectations().  Imports: jax, numpy.
"""

import logging
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from student_jax.checkpoint import Checkpoint
from student_jax.circuit.notation import index_bits, measured_wires
from student_jax.data.dataset import Split
from student_jax.diagnosis.noise import build_noisy_probabilities
from student_jax.model import MAX_AMPLITUDES_LOG2
from student_jax.parameters import Parameters
from teacher_cache.errors import UserError

# Rows that share their random errors: few, so that a rare run does not move the accuracy of all of them together.
ROWS = 32

LOG = logging.getLogger(__name__)


class Outcome(NamedTuple):
    """Accuracy at one noise level and number of shots, None for exact expectation values, which need no repeats.

    `deviation` is the standard deviation from one repeat of all measurements to another.
    """

    noise: float
    shots: int | None
    accuracy: float
    deviation: float


def measure_robustness(
    checkpoint: Checkpoint,
    split: Split,
    noises: Sequence[float],
    shots: Sequence[int],
    repeats: int = 10,
    runs: int = 128,
    seed: int = 0,
) -> list[Outcome]:
    """Accuracy of the selected seed on `split`, for every noise level with exact values and with every number of shots.

    Args:
        checkpoint: a trained student.
        split: on which rows.
        noises: probabilities of an error on a qubit that leaves a gate; see noise.py.
        shots: how often the circuit is run and measured for one row.
        repeats: how often every row is measured anew.
        runs: random runs with errors that stand for all of them.
        seed: of errors and shots.

    Raises:
        UserError: a noise level out of range, or less than one shot.
    """
    for noise in noises:
        if not 0 <= noise <= 0.75:
            raise UserError(f"noise must be a probability from 0 to 0.75, got {noise:g}")
    if min(shots, default=1) < 1:
        raise UserError(f"shots must be at least 1, got {min(shots)}")
    parameters: Parameters = jax.tree.map(lambda array: array[0].astype(np.float32), checkpoint.selected_parameters)
    circuit, classes = checkpoint.description.config.circuit, len(checkpoint.description.labels)
    signs = 1 - 2 * index_bits(circuit.qubits)[:, measured_wires(circuit, classes)]
    simulate = build_noisy_probabilities(circuit, runs)
    z = split.features @ parameters.encoding.weight + parameters.encoding.bias
    most = min(ROWS, max(1, 2**MAX_AMPLITUDES_LOG2 >> circuit.qubits))
    chunks = np.array_split(np.arange(len(z)), -(-len(z) // most))

    def hit(values: Float[np.ndarray, "rows outputs"], rows: np.ndarray) -> np.ndarray:
        readout = parameters.readout
        scores = values if readout is None else values @ readout.weight + readout.bias
        return scores.argmax(axis=1) == split.labels[rows]

    def measure(noise: float) -> Iterator[Outcome]:
        generator = np.random.default_rng(seed)
        exact: list[np.ndarray] = []
        sampled: dict[int, list[list[np.ndarray]]] = {count: [] for count in shots}
        for rows in chunks:
            found = simulate(z[rows], parameters.angles, noise, generator)
            exact.append(hit(found.T @ signs, rows))
            for count, hits in sampled.items():
                hits.append([hit(sample_expectations(found, signs, count, generator), rows) for _ in range(repeats)])
        LOG.info("diagnose: noise %g done", noise)
        yield Outcome(noise, None, float(np.concatenate(exact).mean()), 0.0)
        for count, hits in sampled.items():
            accuracies = np.concatenate(hits, axis=1).mean(axis=1)
            yield Outcome(noise, count, float(accuracies.mean()), float(accuracies.std(ddof=1)))

    return [outcome for noise in noises for outcome in measure(noise)]


def sample_expectations(
    probabilities: Float[np.ndarray, "strings rows"],
    signs: np.ndarray,
    shots: int,
    generator: np.random.Generator,
) -> Float[np.ndarray, "rows outputs"]:
    """The mean outcome, +1 or -1, of every measured qubit over `shots` runs.

    Whole bit strings are drawn: one run measures all qubits, whose outcomes hang together, so that drawing qubit by
    qubit would give scores, which add them up, a wrong spread.

    Args:
        probabilities: of all bit strings.
        signs: (strings, outputs), the outcome that each bit string stands for.
        shots: how many bit strings to draw for each row.
        generator: draws them.
    """
    normalised = probabilities.T.astype(np.float64)
    normalised /= normalised.sum(axis=1, keepdims=True)
    return (generator.multinomial(shots, normalised) @ signs / shots).astype(np.float32)
