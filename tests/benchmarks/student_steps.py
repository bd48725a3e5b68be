"""A step of the student's training in each engine and peer, and what of it is timed beside.

In: CircuitConfig, number of classes, batch.
Out: ADAM, make_arguments(), build_step(), scan_steps(), bare_products(), inference().  Imports: jax, optax.
A step is loss, gradient (of z and all angles, equal rotations summed) and Adam.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from student_jax.circuit.gates import angle_shapes
from student_jax.circuit.layers import Angles
from student_jax.circuit.notation import measured_wires
from student_jax.config import CircuitConfig
from student_jax.devices import map_students
from student_jax.engines import build_engine
from student_jax.engines.fused_matrices import group_sizes
from tests.benchmarks.peers_host import HOST_PEERS, split_angles
from tests.benchmarks.peers_student import PEERS

ADAM = optax.adam(1e-3)


def make_arguments(circuit: CircuitConfig, classes: int, batch: int) -> tuple[Any, Any, Any]:
    """Parameters (z, tied angles, readout weights) and one-hot labels, all random."""
    random = np.random.default_rng(0)
    outputs = len(measured_wires(circuit, classes))

    def draw(*shape: int) -> Any:
        return jnp.asarray(random.normal(size=shape) / 2, jnp.float32)

    angles = Angles(*(draw(*shape) for shape in angle_shapes(circuit).values()))
    return (draw(batch, circuit.qubits), angles, draw(outputs, classes)), jnp.eye(classes)[
        random.integers(classes, size=batch)
    ]


def cross_entropy(values: Any, weights: Any, labels: Any) -> Any:
    scores = jnp.matmul(values, weights, precision="highest")  # a GPU would round the factors to ten bits
    return -jnp.mean(jnp.sum(labels * jax.nn.log_softmax(scores), axis=1))


def build_step(name: str, circuit: CircuitConfig, classes: int) -> Callable[..., Any]:
    """The function parameters, Adam's state, labels -> loss, gradients, new parameters and state."""
    run = PEERS[name](circuit, classes)

    def loss(parameters: Any, labels: Any) -> Any:
        z, angles, weights = parameters
        return cross_entropy(run(z, angles), weights, labels)

    def update(parameters: Any, state: Any, gradients: Any) -> Any:
        steps, state = ADAM.update(gradients, state)
        return optax.apply_updates(parameters, steps), state

    if name not in HOST_PEERS:

        def step(parameters: Any, state: Any, labels: Any) -> Any:
            value, gradients = jax.value_and_grad(loss)(parameters, labels)
            return value, gradients, *update(parameters, state, gradients)

        return step
    pull = jax.jit(jax.value_and_grad(cross_entropy, argnums=(0, 1)))
    update = jax.jit(update)

    def host_step(parameters: Any, state: Any, labels: Any) -> Any:
        z, angles, weights = parameters
        kept: list[Any] = []

        def cotangents(values: Any) -> Any:
            value, (d_values, d_weights) = pull(values, weights, labels)
            kept.append(d_weights)
            return value, d_values

        value, dz, flat = run(z, angles, cotangents)
        shared = split_angles(circuit, np.asarray(flat, np.float32))
        gradients = (jnp.asarray(dz, jnp.float32), jax.tree.map(jnp.asarray, shared), kept[0])
        return value, gradients, *update(parameters, state, gradients)

    return host_step


def scan_steps(circuit: CircuitConfig, classes: int, batch: int, seeds: int = 1, steps: int = 10) -> Callable[[], Any]:
    """As the trainer runs them on one device: steps in one lax.scan, seeds as map_students puts them."""
    parameters, labels = make_arguments(circuit, classes, batch)
    parameters = jax.tree.map(lambda a: jnp.repeat(a[None], seeds, axis=0), parameters)
    step = build_step("fused", circuit, classes)
    state = jax.vmap(ADAM.init)(parameters)

    def run_one(carry: Any) -> Any:
        return jax.lax.scan(lambda carry, _: (step(*carry, labels)[2:], None), carry, None, length=steps)[0]

    run = jax.jit(lambda carry: map_students(run_one, carry, batch << circuit.qubits))
    return lambda: run((parameters, state))


def bare_products(circuit: CircuitConfig, batch: int, steps: int = 10) -> Callable[[], Any]:
    """The matrix products of `steps` gradient steps alone: per layer and group one forward, two back, one outer."""
    *others, last = group_sizes(circuit.qubits)
    random = np.random.default_rng(0)
    stacks, before = [], 1
    for size in (*others, last):
        width = 2**size * (2 if len(stacks) == len(others) else 1)
        unitary = np.linalg.qr(random.normal(size=(width, width)))[0]
        stacks.append(jnp.asarray(np.broadcast_to(unitary, (before, width, width)), jnp.float32))
        before *= 2**size
    state = jnp.asarray(random.normal(size=(2 ** (circuit.qubits + 1), batch)), jnp.float32)

    def body(carry: Any, _: None) -> tuple[Any, None]:
        state, cotangent, total = carry
        for _ in range(circuit.layers - 1):
            for stack in stacks:
                shape = (*stack.shape[:2], -1)
                ahead = jnp.einsum("bij,bjm->bim", stack, state.reshape(shape))
                back = jnp.einsum("bij,bjm->bim", stack, ahead)
                cotangent = jnp.einsum("bij,bjm->bim", stack, cotangent.reshape(shape))
                total += jnp.einsum("bim,bjm->bij", cotangent, back)[0, 0, 0]
                state, cotangent = back.reshape(state.shape), cotangent.reshape(state.shape)
        return (state, cotangent, total), None

    run = jax.jit(lambda carry: jax.lax.scan(body, carry, None, length=steps)[0])
    return lambda: run((state, state, jnp.zeros(())))


def inference(circuit: CircuitConfig, classes: int, batch: int) -> Callable[[], Any]:
    (z, angles, _), _ = make_arguments(circuit, classes, batch)
    engine = jax.jit(build_engine("fused", circuit, classes, "float32"))
    return lambda: engine(z, angles)
