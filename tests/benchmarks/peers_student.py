"""The student's circuit in our engines and in other simulators, each in the best form that we know of.

In: CircuitConfig, number of classes.  Out: PEERS: name -> function that builds a batched, differentiable circuit.
Imports: jax, pennylane; every other simulator where it is asked for.
All take summed rotation angles, as our own engines do.  Those of HOST_PEERS are called on the host, and have an
interface of their own; the others map (z, angles) to expectation values in JAX.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from student_jax.circuit.gates import sum_rotations
from student_jax.circuit.qnode import build_qnode
from student_jax.config import CircuitConfig
from student_jax.engines import build_engine
from tests.benchmarks.peers_host import HOST_PEERS
from tests.benchmarks.peers_tensorcircuit import TENSORCIRCUIT
from tests.benchmarks.version_01 import build_fused_01


def ours(engine: str, circuit: CircuitConfig, classes: int) -> Any:
    return build_engine(engine, circuit, classes, "float32")


def default_vmap(circuit: CircuitConfig, classes: int) -> Any:
    qnode = build_qnode(replace(circuit, rotations="tied"), classes)
    return jax.vmap(lambda z, angles: jnp.stack(qnode(z, sum_rotations(circuit, angles))), in_axes=(0, None))


PEERS: dict[str, Callable[[CircuitConfig, int], Any]] = {
    "fused": partial(ours, "fused"),
    "native": partial(ours, "native"),
    "fused of 0.1": build_fused_01,
    **TENSORCIRCUIT,
    "default.qubit broadcast": partial(ours, "default.qubit"),
    "default.qubit vmap": default_vmap,
    "lightning.qubit": partial(ours, "lightning.qubit"),
    **HOST_PEERS,
}
