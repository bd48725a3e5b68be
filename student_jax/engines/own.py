"""A circuit of the user's own: a function in a Python file, run by PennyLane in JAX and checked before it is trained.

In: a CircuitConfig with a file.  Out: build_own().  Imports: jax, pennylane.

The file defines circuit(z, NAME, ...) as the body of a QNode: z holds the angles of one text, (qubits,), each NAME an
array of `circuit.arrays`; it returns a list of expectation values.
"""

import hashlib
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pennylane as qml
from jaxtyping import Array, Float

from student_jax.config import CircuitConfig
from student_jax.engines.interface import Engine, let_pennylane_promote, require_precision
from teacher_cache.errors import UserError
from teacher_cache.outside import locate

# What the check compares was computed in float32 in another order.
TOLERANCE = 1e-3


def build_own(circuit: CircuitConfig, precision: str) -> Engine:
    """An engine around the function `circuit` of the file `circuit.file`.

    Raises:
        UserError: no such file, another one than `circuit.sha256` says, or a function that does not run, has other
            outputs than `circuit.outputs`, or cannot be differentiated or vectorised by JAX.
    """
    dtype, path = require_precision(precision), locate(str(circuit.file))
    qnode = qml.QNode(
        _load_function(circuit, path), qml.device("default.qubit", wires=circuit.qubits), diff_method="backprop"
    )

    def run_text(z: Float[Array, " qubits"], arrays: Mapping[str, Array]) -> Float[Array, " outputs"]:
        with let_pennylane_promote():
            values = qnode(z, **arrays)
        return jnp.stack(list(values) if isinstance(values, list | tuple) else [values], axis=-1).astype(dtype)

    def run(z: Float[Array, "batch qubits"], arrays: Any) -> Float[Array, "batch outputs"]:
        cast = {name: array.astype(dtype) for name, array in arrays.items()}
        return jax.vmap(run_text, in_axes=(0, None))(z.astype(dtype), cast)

    _check(circuit, path, run_text, dtype)
    return run


def _load_function(circuit: CircuitConfig, path: Path) -> Callable[..., Any]:
    if not path.is_file():
        raise UserError(f"circuit.file must be a Python file, got {path}")
    source = path.read_bytes()
    found = hashlib.sha256(source).hexdigest()
    if circuit.sha256 != found:
        raise UserError(f"{path.name}: circuit.sha256 must be {found}, this file's own, got {circuit.sha256}")
    names: dict[str, Any] = {"__name__": path.stem, "__file__": str(path)}
    try:
        exec(compile(source, path, "exec"), names)  # the very bytes that were hashed
    except (Exception, SystemExit) as error:
        raise UserError(f"{path.name} must run as Python, got {_word(error)}") from error
    function, expected = names.get("circuit"), f"circuit({', '.join(['z', *circuit.arrays])})"
    try:
        inspect.signature(function).bind(None, **circuit.arrays)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise UserError(f"{path.name} must define {expected}, as circuit.arrays names its arrays") from None
    return function  # type: ignore[return-value]


def _check(circuit: CircuitConfig, path: Path, run_text: Callable[..., Array], dtype: Any) -> None:
    """Raise a UserError unless outputs and gradients are what training needs, at random angles of two texts."""
    generator = np.random.default_rng(0)

    def draw(*shape: int) -> Array:
        return jnp.asarray(generator.uniform(-2, 2, shape), dtype)

    z, arrays = draw(2, circuit.qubits), {name: draw(*shape) for name, shape in circuit.arrays.items()}
    try:
        one_by_one = [run_text(text, arrays) for text in z]
    except Exception as error:
        raise UserError(f"{path.name}: circuit must run, got {_word(error)}") from error
    if one_by_one[0].shape != (circuit.outputs,):
        raise UserError(
            f"{path.name}: circuit must return {circuit.outputs} expectation values, as circuit.outputs says, "
            f"got shape {one_by_one[0].shape}"
        )
    weights = draw(len(one_by_one[0]))
    try:
        gradients = jax.grad(lambda z, arrays: run_text(z, arrays) @ weights, argnums=(0, 1))(z[0], arrays)
        students = jax.tree.map(lambda array: jnp.stack([array, array]), arrays)
        together = jax.jit(jax.vmap(jax.vmap(run_text, in_axes=(0, None)), in_axes=(None, 0)))(z, students)
    except Exception as error:
        raise UserError(
            f"{path.name}: JAX must be able to differentiate and vectorise circuit, got {_word(error)}"
        ) from error
    for name, array in {"values": jnp.stack(one_by_one), "z": gradients[0], **gradients[1]}.items():
        if not np.isfinite(array).all():
            what = "its values" if name == "values" else f"the gradient by {name}"
            raise UserError(f"{path.name}: {what} must be finite, got NaN or infinity")
        if name != "values" and not np.any(array):
            raise UserError(f"{path.name}: circuit must depend on {name}, got a gradient of 0 at random angles")
    if not np.allclose(together[0], jnp.stack(one_by_one), atol=TOLERANCE):
        raise UserError(f"{path.name}: circuit must be a pure function, got other values under jax.vmap")


def _word(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
