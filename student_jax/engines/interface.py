"""What an engine is: (z, angles) -> expectation values, a pure function that JAX can jit, differentiate and vmap.

In: nothing.  Out: Engine, check_shapes(), require_precision(), let_pennylane_promote().  Imports: jax.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import jax
from jaxtyping import Array, DTypeLike, Float

from student_jax.circuit.gates import angle_shapes
from student_jax.config import CircuitConfig
from teacher_cache.errors import UserError

# (z, the ansatz's Angles or, for a circuit of the user's own, a dict of arrays) -> expectation values
Engine: TypeAlias = Callable[[Float[Array, "batch qubits"], Any], Float[Array, "batch outputs"]]


def check_shapes(circuit: CircuitConfig, z: Float[Array, "batch qubits"], angles: Any) -> None:
    """Raise a ValueError where `z` or `angles` do not have the shapes of `circuit`."""
    if z.ndim != 2 or z.shape[1] != circuit.qubits:
        raise ValueError(f"z must have shape (batch, {circuit.qubits}), got {z.shape}")
    for name, shape in angle_shapes(circuit).items():
        found = getattr(angles, name).shape
        if found != shape:
            raise ValueError(f"angles.{name} must have shape {shape}, got {found}")


def require_precision(precision: str) -> DTypeLike:
    """The dtype called `precision`.

    Raises:
        UserError: float64 where JAX would silently compute in float32.
    """
    if precision == "float64" and not jax.config.read("jax_enable_x64"):
        raise UserError("precision float64 needs JAX's 64-bit mode, got 32-bit; set JAX_ENABLE_X64=1")
    return jax.numpy.dtype(precision)


@contextmanager
def let_pennylane_promote() -> Iterator[None]:
    """Where default.qubit runs in JAX: it multiplies real angles with complex gates, which strict promotion forbids.

    It also asks for complex128, and takes complex64 where JAX is in 32-bit mode, as it was told to be.
    """
    with warnings.catch_warnings(), jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        warnings.filterwarnings("ignore", "Explicitly requested dtype complex128", UserWarning)
        yield
