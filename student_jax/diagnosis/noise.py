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
from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from student_jax.circuit.gates import list_gates
from student_jax.config import CircuitConfig
from student_jax.diagnosis.probabilities import build_probabilities

# (z, the ansatz's Angles, probability of an error, generator) -> probabilities
NoisyProbabilities: TypeAlias = Callable[
    [Float[np.ndarray, "rows qubits"], Any, float, np.random.Generator], Float[np.ndarray, "strings rows"]
]

X_PART, Z_PART = np.array([0, 1, 1, 0], bool), np.array([0, 0, 1, 1], bool)  # of I, X, Y, Z


class Frames(NamedTuple):
    """What the errors of each run amount to: signs of the angles, and the bits that are read flipped, as a number.

    The signs are in the order of `turned_gates`.
    """

    signs: Float[np.ndarray, "runs gates"]
    flips: Int[np.ndarray, " runs"]


def count_locations(circuit: CircuitConfig) -> int:
    """How many times a qubit leaves a gate, which is where it can suffer an error."""
    return sum(len(gate.wires) for gate in list_gates(replace(circuit, rotations="tied")))


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
    columns = iter(errors.T)
    x, z = np.zeros((2, circuit.qubits, len(errors)), bool)
    signs = []
    for gate in list_gates(replace(circuit, rotations="tied")):
        wires = list(gate.wires)
        if gate.kind == "CNOT":
            control, target = wires
            x[target] ^= x[control]
            z[control] ^= z[target]
        else:
            # RX anticommutes with Y and Z, RY with X and Z, RZ and RZZ with X and Y, on one of their qubits.
            parts = {"RX": z, "RY": x ^ z}.get(gate.kind, x)
            signs.append(1 - 2 * np.logical_xor.reduce(parts[wires]).astype(np.float32))
        for wire in wires:
            error = next(columns)
            x[wire] ^= X_PART[error]
            z[wire] ^= Z_PART[error]
    return Frames(np.stack(signs, axis=1), (1 << np.arange(circuit.qubits)[::-1]) @ x)


def build_noisy_probabilities(circuit: CircuitConfig, runs: int) -> NoisyProbabilities:
    """The function (z, angles, probability, generator) -> probabilities of all bit strings, a column per row of z.

    The share of runs without any error is exact; `runs` random ones, the same for every row of z, stand for all
    others. `probability` is that of an error on a qubit that leaves a gate: 0 to 3/4, where nothing is left of it.
    """
    simulate = build_probabilities(circuit)
    clean = jax.jit(simulate)
    locations, strings = count_locations(circuit), np.arange(2**circuit.qubits)

    @jax.jit
    def average(z: Float[Array, "rows qubits"], angles: Any, frames: Frames) -> Float[Array, "strings rows"]:
        def add(total: Array, frame: Frames) -> tuple[Array, None]:
            return total + simulate(z, angles, frame.signs)[strings ^ frame.flips], None

        total, _ = jax.lax.scan(add, jnp.zeros((len(strings), len(z)), z.dtype), frames)
        return total / runs

    def run(
        z: Float[np.ndarray, "rows qubits"], angles: Any, probability: float, generator: np.random.Generator
    ) -> Float[np.ndarray, "strings rows"]:
        found = np.asarray(clean(z, angles))
        if probability == 0:
            return found
        faultless = (1 - probability) ** locations
        frames = move_errors(circuit, sample_errors(locations, probability, runs, generator))
        return faultless * found + (1 - faultless) * np.asarray(average(z, angles, frames))

    return run
