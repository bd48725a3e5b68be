"""The student's circuit in tensorcircuit-ng, in four forms, jitted and mapped over the batch.

In: CircuitConfig, number of classes.
Out: TENSORCIRCUIT: name -> function that builds (z, angles) -> expectation values.
Imports: tensorcircuit where it is asked for.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from student_jax.circuit.gates import sum_rotations
from student_jax.circuit.layers import Angles
from student_jax.circuit.notation import index_bits, measured_wires, neighbours
from student_jax.config import CircuitConfig

# (a circuit of tensorcircuit, ours, z of one text, angles) -> the same circuit with the gates
Apply = Callable[[Any, CircuitConfig, Any, Angles], Any]


def apply_gates(made: Any, circuit: CircuitConfig, z: Any, angles: Angles) -> Any:
    """One gate after another."""
    ry, rzz, rz = sum_rotations(circuit, angles)
    for qubit in range(circuit.qubits):
        made.rx(qubit, theta=z[qubit])
    for layer in range(circuit.layers):
        for qubit in range(circuit.qubits):
            made.ry(qubit, theta=ry[layer, qubit, 0])
        for index, pair in enumerate(neighbours(circuit)):
            made.rzz(*pair, theta=rzz[layer, index])
        for qubit in range(circuit.qubits):
            made.rz(qubit, theta=rz[layer, qubit, 0])
        for pair in neighbours(circuit):
            made.cnot(*pair)
    return made


def apply_diagonals(made: Any, circuit: CircuitConfig, z: Any, angles: Angles) -> Any:
    """A layer's RZZ and RZ as one diagonal."""
    ry, rzz, rz = sum_rotations(circuit, angles)
    signs = jnp.asarray(1 - 2 * index_bits(circuit.qubits), jnp.float32)
    pairs = jnp.stack([signs[:, one] * signs[:, other] for one, other in neighbours(circuit)])
    for qubit in range(circuit.qubits):
        made.rx(qubit, theta=z[qubit])
    for layer in range(circuit.layers):
        for qubit in range(circuit.qubits):
            made.ry(qubit, theta=ry[layer, qubit, 0])
        halves = (rzz[layer] @ pairs + signs @ rz[layer, :, 0]) / 2
        made.diagonal(*range(circuit.qubits), diag=jnp.exp(-1j * halves.astype(jnp.complex64)))
        for pair in neighbours(circuit):
            made.cnot(*pair)
    return made


def apply_merged(made: Any, circuit: CircuitConfig, z: Any, angles: Angles) -> Any:
    """All rotations of a pair of neighbours, those of the encoding too, as one matrix: 20 gates a layer instead of 42.

    RZ commutes with RZZ, so that a qubit's rotations can go into the first pair that has it.
    """
    ry, rzz, rz = sum_rotations(circuit, angles)
    for layer in range(circuit.layers):
        done: set[int] = set()
        for index, pair in enumerate(neighbours(circuit)):
            own = []
            for qubit in pair:
                turn = jnp.eye(2, dtype=jnp.complex64)
                if qubit not in done:
                    turn = jnp.diag(_phases(rz[layer, qubit, 0], 2)) @ _rotate_y(ry[layer, qubit, 0])
                    turn = turn @ _rotate_x(z[qubit]) if layer == 0 else turn
                own.append(turn)
                done.add(qubit)
            made.unitary(*pair, unitary=_phases(rzz[layer, index], 4)[:, None] * jnp.kron(*own))
        for pair in neighbours(circuit):
            made.cnot(*pair)
    return made


def _phases(angle: Any, size: int) -> Any:
    """The diagonal of RZ, size 2, or RZZ, size 4."""
    parity = jnp.asarray([1, -1] if size == 2 else [1, -1, -1, 1], jnp.complex64)
    return jnp.exp(-0.5j * parity * angle.astype(jnp.complex64))


def _rotate_y(angle: Any) -> Any:
    cosine, sine = jnp.cos(angle / 2), jnp.sin(angle / 2)
    return jnp.asarray([[cosine, -sine], [sine, cosine]], jnp.complex64)


def _rotate_x(angle: Any) -> Any:
    cosine, sine = jnp.cos(angle / 2).astype(jnp.complex64), -1j * jnp.sin(angle / 2).astype(jnp.complex64)
    return jnp.asarray([[cosine, sine], [sine, cosine]])


def build_state(apply: Apply, circuit: CircuitConfig, classes: int) -> Any:
    """A state vector, then marginals of the probabilities."""
    import tensorcircuit as tc

    tc.set_backend("jax")
    n, wires = circuit.qubits, measured_wires(circuit, classes)

    def run(z: Any, angles: Angles) -> Any:
        state = apply(tc.Circuit(n), circuit, z, angles).state()
        probabilities = (state.real**2 + state.imag**2).reshape([2] * n)
        marginals = [probabilities.sum(tuple(q for q in range(n) if q != wire)) for wire in wires]
        return jnp.stack([marginal[0] - marginal[1] for marginal in marginals])

    return jax.vmap(run, in_axes=(0, None))


def build_cone(circuit: CircuitConfig, classes: int) -> Any:
    """Each expectation value contracted as a tensor network, its light cone simplified."""
    import tensorcircuit as tc

    tc.set_backend("jax")
    wires = measured_wires(circuit, classes)

    def run(z: Any, angles: Angles) -> Any:
        made = apply_gates(tc.Circuit(circuit.qubits), circuit, z, angles)
        return jnp.stack([jnp.real(made.expectation_ps(z=[wire], enable_lightcone=True)) for wire in wires])

    return jax.vmap(run, in_axes=(0, None))


TENSORCIRCUIT = {
    "tensorcircuit-ng": partial(build_state, apply_gates),
    "tensorcircuit-ng diagonal": partial(build_state, apply_diagonals),
    "tensorcircuit-ng merged": partial(build_state, apply_merged),
    "tensorcircuit-ng light cone": build_cone,
}
