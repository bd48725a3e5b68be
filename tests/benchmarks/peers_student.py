"""The student's circuit in other simulators, each in the best form that we know of.

In: CircuitConfig, number of classes.  Out: PEERS: name -> function that builds a batched, differentiable circuit.
Imports: tensorcircuit-ng and mindquantum where they are asked for.
All take summed rotation angles, as our own engines do.  The JAX ones map (z, angles) to expectation values; MindQuantum
returns them with their gradients, and is wrapped as a function of (z, angles, pull), pull mapping values to cotangents.
"""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from student_jax.circuit.gates import sum_rotations
from student_jax.circuit.layers import Angles
from student_jax.circuit.notation import measured_wires, neighbours
from student_jax.circuit.qnode import build_qnode
from student_jax.config import CircuitConfig
from student_jax.engines import build_engine
from tests.benchmarks.version_01 import build_fused_01


def fused(circuit: CircuitConfig, classes: int) -> Any:
    return build_engine("fused", circuit, classes, "float32")


def native(circuit: CircuitConfig, classes: int) -> Any:
    return build_engine("native", circuit, classes, "float32")


def default_broadcast(circuit: CircuitConfig, classes: int) -> Any:
    return build_engine("default.qubit", circuit, classes, "float32")


def default_vmap(circuit: CircuitConfig, classes: int) -> Any:
    qnode = build_qnode(replace(circuit, rotations="tied"), classes)
    return jax.vmap(lambda z, angles: jnp.stack(qnode(z, sum_rotations(circuit, angles))), in_axes=(0, None))


def lightning(circuit: CircuitConfig, classes: int) -> Any:
    return build_engine("lightning.qubit", circuit, classes, "float32")


def tensorcircuit(circuit: CircuitConfig, classes: int) -> Any:
    """Gates on a state vector, then marginals of the probabilities; jit and vmap."""
    import tensorcircuit as tc

    tc.set_backend("jax")
    n, wires = circuit.qubits, measured_wires(circuit, classes)

    def run(z: Any, angles: Angles) -> Any:
        state = _tensorcircuit_gates(tc.Circuit(n), circuit, z, angles).state()
        probabilities = (state.real**2 + state.imag**2).reshape([2] * n)
        marginals = [probabilities.sum(tuple(q for q in range(n) if q != wire)) for wire in wires]
        return jnp.stack([marginal[0] - marginal[1] for marginal in marginals])

    return jax.vmap(run, in_axes=(0, None))


def tensorcircuit_cone(circuit: CircuitConfig, classes: int) -> Any:
    """Each expectation value contracted as a tensor network, its light cone simplified; jit and vmap."""
    import tensorcircuit as tc

    tc.set_backend("jax")
    wires = measured_wires(circuit, classes)

    def run(z: Any, angles: Angles) -> Any:
        made = _tensorcircuit_gates(tc.Circuit(circuit.qubits), circuit, z, angles)
        return jnp.stack([jnp.real(made.expectation_ps(z=[wire], enable_lightcone=True)) for wire in wires])

    return jax.vmap(run, in_axes=(0, None))


def _tensorcircuit_gates(made: Any, circuit: CircuitConfig, z: Any, angles: Angles) -> Any:
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


def mindquantum(circuit: CircuitConfig, classes: int) -> Any:
    """The state-vector simulator with its own adjoint gradient, complex64."""
    import mindquantum as mq
    from mindquantum.core.circuit import Circuit
    from mindquantum.core.gates import RX, RY, RZ, Rzz, X
    from mindquantum.core.operators import Hamiltonian, QubitOperator
    from mindquantum.simulator import Simulator

    encoder, ansatz, n = Circuit(), Circuit(), circuit.qubits
    for qubit in range(n):
        encoder += RX(f"z{qubit}").on(qubit)
    for layer in range(circuit.layers):
        for qubit in range(n):
            ansatz += RY(f"y{layer}_{qubit}").on(qubit)
        for index, pair in enumerate(neighbours(circuit)):
            ansatz += Rzz(f"d{layer}_{index}").on(list(pair))
        for qubit in range(n):
            ansatz += RZ(f"r{layer}_{qubit}").on(qubit)
        for control, target in neighbours(circuit):
            ansatz += X.on(target, control)
    whole = encoder.as_encoder() + ansatz.as_ansatz()
    hams = [Hamiltonian(QubitOperator(f"Z{wire}")).astype(mq.complex64) for wire in measured_wires(circuit, classes)]
    simulator = Simulator("mqvector", n, dtype=mq.complex64)
    evaluate = simulator.get_expectation_with_grad(hams, whole)

    def run(z: np.ndarray, angles: Angles, pull: Any) -> tuple[Any, np.ndarray, np.ndarray]:
        ry, rzz, rz = (np.asarray(a) for a in sum_rotations(circuit, angles))
        weights = np.concatenate([ry[..., 0], rzz, rz[..., 0]], axis=1).ravel()
        values, dz, dangles = evaluate(np.asarray(z), weights)
        loss, cotangents = pull(values.real.astype(np.float32))
        cotangents = np.asarray(cotangents)
        return (
            loss,
            np.einsum("bo,boq->bq", cotangents, dz.real),
            np.einsum("bo,boa->a", cotangents, dangles.real).reshape(circuit.layers, -1),
        )

    return run


PEERS = {
    "fused": fused,
    "native": native,
    "fused of 0.1": build_fused_01,
    "tensorcircuit-ng": tensorcircuit,
    "tensorcircuit-ng light cone": tensorcircuit_cone,
    "default.qubit broadcast": default_broadcast,
    "default.qubit vmap": default_vmap,
    "lightning.qubit": lightning,
    "mindquantum": mindquantum,
}
