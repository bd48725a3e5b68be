"""The circuit on a noisy machine: depolarising noise after every gate, averaged over random Pauli errors.

In: CircuitConfig, an error probability.
Out: count_locations(), sample_errors(), Frames, move_errors(), build_noisy_probabilities().  Imports: jax, numpy.

After every gate each of its qubits suffers X, Y or Z with probability q / 3 each, which is PennyLane's
DepolarizingChannel(q); equal rotations in a row are one gate, by the sum of their angles, and RZZ is one gate.

No error has to be simulated where it happens.  Every gate is a rotation about a Pauli string or a CNOT: moving an
error P to the end past a rotation R(angle) leaves R(-angle) where P anticommutes with the string, R(angle) where it
commutes, and a CNOT maps P to another Pauli string.  At the end P flips measured bits.  So a noisy run is the noiseless
circuit with other signs, and a density matrix of 4^n numbers is never needed.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from student_jax.circuit.qnode import Angles, neighbours, sum_rotations
from student_jax.config import CircuitConfig
from student_jax.diagnosis.probabilities import build_probabilities

NoisyProbabilities: TypeAlias = Callable[
    [Float[np.ndarray, "rows qubits"], Angles, float, np.random.Generator], Float[np.ndarray, "strings rows"]
]

X_PART, Z_PART = np.array([0, 1, 1, 0], bool), np.array([0, 0, 1, 1], bool)  # of I, X, Y, Z


class Frames(NamedTuple):
    """What the errors of each run amount to: signs of the angles, and the bits that are read flipped, as a number.

    The encoding comes before all errors, so that its angles keep their signs.
    """

    ry: Float[np.ndarray, "runs layers qubits 1"]
    rzz: Float[np.ndarray, "runs layers pairs"]
    rz: Float[np.ndarray, "runs layers qubits 1"]
    flips: Int[np.ndarray, " runs"]


def count_locations(circuit: CircuitConfig) -> int:
    """How many times a qubit leaves a gate, which is where it can suffer an error."""
    return circuit.qubits + circuit.layers * (2 * circuit.qubits + 4 * len(neighbours(circuit)))


def sample_errors(
    locations: int, probability: float, runs: int, generator: np.random.Generator
) -> Int[np.ndarray, "runs locations"]:
    """Errors (0 none, 1 X, 2 Y, 3 Z) of runs that have one at least; runs without are known exactly.

    The first error's location is drawn given that there is one, all that may follow independently of it.
    """
    place = np.arange(locations)
    weights = (1 - probability) ** place
    first = generator.choice(locations, (runs, 1), p=weights / weights.sum())
    later = (place > first) & (generator.random((runs, locations)) < probability)
    return np.where((place == first) | later, generator.integers(1, 4, (runs, locations)), 0)


def move_errors(circuit: CircuitConfig, errors: Int[np.ndarray, "runs locations"]) -> Frames:
    """Move every run's errors, in the order in which the gates stand in time, to the end of the circuit."""
    pairs, columns = neighbours(circuit), iter(errors.T)
    x, z = np.zeros((2, circuit.qubits, len(errors)), bool)
    signs: dict[str, list[np.ndarray]] = {"ry": [], "rzz": [], "rz": []}

    def turn(kind: str, anticommutes: np.ndarray, *qubits: int) -> None:
        signs[kind].append(1 - 2 * anticommutes.astype(np.float32))
        suffer(*qubits)

    def suffer(*qubits: int) -> None:
        for qubit in qubits:
            error = next(columns)
            x[qubit] ^= X_PART[error]
            z[qubit] ^= Z_PART[error]

    suffer(*range(circuit.qubits))
    for _ in range(circuit.layers):
        for qubit in range(circuit.qubits):
            turn("ry", x[qubit] ^ z[qubit], qubit)
        for first, second in pairs:
            turn("rzz", x[first] ^ x[second], first, second)
        for qubit in range(circuit.qubits):
            turn("rz", x[qubit], qubit)
        for control, target in pairs:
            x[target] ^= x[control]
            z[control] ^= z[target]
            suffer(control, target)
    shape = (len(errors), circuit.layers, -1)
    ry, rzz, rz = (np.stack(signs[kind], axis=1).reshape(shape) for kind in ("ry", "rzz", "rz"))
    return Frames(ry[..., None], rzz, rz[..., None], (1 << np.arange(circuit.qubits)[::-1]) @ x)


def build_noisy_probabilities(circuit: CircuitConfig, runs: int) -> NoisyProbabilities:
    """The function (z, angles, probability, generator) -> probabilities of all bit strings, a column per row of z.

    The share of runs without any error is exact; `runs` random ones, the same for every row of z, stand for all
    others. `probability` is that of an error on a qubit that leaves a gate: 0 to 3/4, where nothing is left of it.
    """
    simulate = build_probabilities(circuit)
    clean = jax.jit(simulate)
    locations, strings = count_locations(circuit), np.arange(2**circuit.qubits)

    @jax.jit
    def average(z: Float[Array, "rows qubits"], angles: Angles, frames: Frames) -> Float[Array, "strings rows"]:
        tied = sum_rotations(angles)

        def add(total: Array, frame: Frames) -> tuple[Array, None]:
            *signs, flips = frame
            signed = Angles(*(part * sign for part, sign in zip(tied, signs, strict=True)))
            return total + simulate(z, signed)[strings ^ flips], None

        total, _ = jax.lax.scan(add, jnp.zeros((len(strings), len(z)), z.dtype), frames)
        return total / runs

    def run(
        z: Float[np.ndarray, "rows qubits"], angles: Angles, probability: float, generator: np.random.Generator
    ) -> Float[np.ndarray, "strings rows"]:
        found = np.asarray(clean(z, angles))
        if probability == 0:
            return found
        faultless = (1 - probability) ** locations
        frames = move_errors(circuit, sample_errors(locations, probability, runs, generator))
        return faultless * found + (1 - faultless) * np.asarray(average(z, angles, frames))

    return run
