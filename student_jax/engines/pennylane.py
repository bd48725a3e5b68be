"""PennyLane's own simulators behind the engine interface: default.qubit, lightning.qubit, lightning.gpu.

In: a CircuitConfig and a device's name.  Out: build_pennylane().  Imports: jax, pennylane.
default.qubit is the reference: one broadcast run in JAX, differentiated by backprop.  The lightning devices are
compiled libraries that JAX calls on the host; they run sample by sample and differentiate by the adjoint method.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pennylane as qml
from jaxtyping import Array, DTypeLike, Float

from student_jax.circuit.gates import fill_angles, sum_rotations
from student_jax.circuit.notation import measured_wires
from student_jax.circuit.qnode import build_qnode
from student_jax.config import CircuitConfig
from student_jax.engines.interface import Engine, check_shapes, let_pennylane_promote, require_precision
from teacher_cache.errors import UserError

INSTALL = {"lightning.gpu": "pip install 'qdllm[gpu]'"}


def build_pennylane(name: str, circuit: CircuitConfig, classes: int, precision: str) -> Engine:
    """An engine that runs the QNode on PennyLane's device `name`, equal rotations in a row summed.

    Raises:
        UserError: the device is not installed or lacks its CUDA libraries or its GPU; or `precision` is not enabled.
    """
    dtype, tied = require_precision(precision), replace(circuit, rotations="tied")
    try:
        qnode = build_qnode(tied, classes, name)
    except (qml.exceptions.DeviceError, ImportError, OSError, RuntimeError) as error:
        # Without CUDA's libraries lightning.gpu says that its binaries are not available, which they are.
        missing = "re-compiled binaries" in str(error)
        reason = "CUDA 12 libraries not found" if missing else str(error).splitlines()[0]
        install = INSTALL.get(name, "pip install 'qdllm[student]'")
        raise UserError(f"engine {name} must be installed, got: {reason}; run {install}") from error
    outputs = len(measured_wires(circuit, classes))
    simulate = (
        _trace(qnode) if name == "default.qubit" else _call_host(qnode, type(fill_angles(tied, tuple)), outputs, dtype)
    )

    def run(z: Float[Array, "batch qubits"], angles: Any) -> Float[Array, "batch outputs"]:
        check_shapes(circuit, z, angles)
        cast = jax.tree.map(lambda angle: angle.astype(dtype), angles)
        return simulate(z.astype(dtype), sum_rotations(circuit, cast)).astype(dtype)

    return run


def _trace(qnode: qml.QNode) -> Engine:
    def simulate(z: Float[Array, "batch qubits"], angles: Any) -> Float[Array, "batch outputs"]:
        with let_pennylane_promote():
            return jnp.stack(qnode(z, angles), axis=-1)

    return simulate


def _call_host(qnode: qml.QNode, arrange: Callable[..., Any], outputs: int, dtype: DTypeLike) -> Engine:
    """The QNode called with NumPy's arrays and differentiated by autograd; `arrange` makes Angles of their arrays.

    PennyLane's own JAX interface computes with JAX inside of its callback, where JAX's 64-bit mode may be off, and
    differentiates every output by itself: 0.4 s a step instead of 52 s (11 qubits, 3 layers, batch 8, two cores).
    """

    def evaluate(z: Any, *angles: Any) -> Any:
        return qml.math.stack(qnode(z, arrange(*angles)), axis=-1)

    def values(*arguments: Any) -> np.ndarray:
        return np.asarray(evaluate(*map(np.asarray, arguments)), dtype)

    def gradients(cotangent: Any, *arguments: Any) -> tuple[np.ndarray, ...]:
        weights = np.asarray(cotangent)
        trainable = [qml.numpy.array(array, requires_grad=True) for array in arguments]
        found = qml.grad(lambda *arguments: qml.math.sum(weights * evaluate(*arguments)))(*trainable)
        return tuple(np.asarray(gradient, dtype) for gradient in found)

    def call(function: Callable[..., Any], shapes: Any, *arguments: Array) -> Any:
        return jax.pure_callback(function, shapes, *arguments, vmap_method="sequential")

    @jax.custom_vjp
    def simulate(z: Float[Array, "batch qubits"], angles: Any) -> Float[Array, "batch outputs"]:
        return call(values, jax.ShapeDtypeStruct((len(z), outputs), dtype), z, *angles)

    def forward(z: Array, angles: Any) -> tuple[Array, tuple[Array, ...]]:
        return simulate(z, angles), (z, *angles)

    def backward(arguments: tuple[Array, ...], cotangent: Array) -> tuple[Array, Any]:
        shapes = tuple(jax.ShapeDtypeStruct(array.shape, dtype) for array in arguments)
        dz, *dangles = call(gradients, shapes, cotangent, *arguments)
        return dz, arrange(*dangles)

    simulate.defvjp(forward, backward)
    return simulate
