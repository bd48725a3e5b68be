"""The circuit gate by gate in compiled code (native_kernel/), called by XLA: the fastest engine on a CPU.

In: a CircuitConfig.  Out: build_native(), find_library(), find_compiler(), INSTRUCTION_SETS, FORCED.
Imports: jax, numpy.

The library is built with the package where there is a compiler. What it computes is `fused`'s first and last step with
the gates themselves in between; kernel.h says how.
"""

import ctypes
import os
import shutil
import sysconfig
from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float

from student_jax.circuit.layers import Angles
from student_jax.config import CircuitConfig
from student_jax.engines.cone import cut_cone
from student_jax.engines.interface import Engine
from teacher_cache.errors import UserError

LIBRARY = "student_jax.engines._native"
# From the narrowest to the widest: of several that a processor has, the last is taken.
INSTRUCTION_SETS = ("baseline", "avx2", "avx512")
FORCED = "QDLLM_NATIVE"
MOST_QUBITS = 24  # as binding.cc has it


def build_native(circuit: CircuitConfig, classes: int, precision: str) -> Engine:
    """The native engine.

    Args:
        circuit: which circuit.
        classes: number of classes; only readout `first` depends on it.
        precision: `float32` or `float64`.

    Returns:
        Engine, whose gradient keeps one state a sample, whatever the number of layers.

    Raises:
        UserError: another ansatz; too many qubits; the compiled code is not there; JAX computes on an accelerator;
            `precision` is not enabled; the circuit cannot be read out for so many classes.
    """
    cone, count_kept = cut_cone("native", circuit, classes, precision), _register()
    if cone.qubits > MOST_QUBITS:
        raise UserError(f"engine native simulates {MOST_QUBITS} qubits at most, got {cone.qubits}; take engine fused")
    if jax.default_backend() != "cpu":
        raise UserError(f"engine native computes on the CPU alone, got {jax.default_backend()}; take engine fused")
    compute = _differentiate(cone.qubits, len(cone.wires), circuit.entanglement == "ring", count_kept)

    def run(z: Float[Array, "batch qubits"], angles: Angles) -> Float[Array, "batch outputs"]:
        return compute(*cone.take(z, angles))

    return run


def _differentiate(qubits: int, outputs: int, ring: bool, count_kept: Callable[[int, int, int], int]) -> Any:
    """The function (z, ry, rzz, rz) -> expectation values, with the compiled code's own derivative."""

    def call(*arguments: Array, keep: bool) -> Sequence[Array]:
        z = arguments[0]
        kept = count_kept(z.dtype.itemsize, qubits, len(z)) if keep else 0
        shapes = (jax.ShapeDtypeStruct((len(z), outputs), z.dtype), jax.ShapeDtypeStruct((kept,), z.dtype))
        forward = jax.ffi.ffi_call(f"qdllm_forward_{z.dtype}", shapes, vmap_method="broadcast_all")
        return forward(*arguments, outputs=np.int64(outputs), ring=np.bool_(ring), keep=np.bool_(keep))

    @jax.custom_vjp
    def compute(z: Array, ry: Array, rzz: Array, rz: Array) -> Array:
        return call(z, ry, rzz, rz, keep=False)[0]

    def compute_and_keep(*arguments: Array) -> tuple[Array, tuple[Array, ...]]:
        values, state = call(*arguments, keep=True)
        return values, (*arguments, state)

    def differentiate(kept: tuple[Array, ...], cotangents: Array) -> tuple[Array, ...]:
        *arguments, _ = kept
        shapes = tuple(jax.ShapeDtypeStruct(argument.shape, argument.dtype) for argument in arguments)
        name = f"qdllm_backward_{arguments[0].dtype}"
        backward = jax.ffi.ffi_call(name, shapes, vmap_method="broadcast_all")
        return tuple(backward(*kept, cotangents.astype(arguments[0].dtype), ring=np.bool_(ring)))

    compute.defvjp(compute_and_keep, differentiate)
    return compute


def find_library() -> Path | None:
    """The compiled library, None where it was not built."""
    found = find_spec(LIBRARY)
    return None if found is None or found.origin is None else Path(found.origin)


def find_compiler() -> str | None:
    """The C++ compiler that an installation would call here, None where there is none."""
    command = os.environ.get("CXX") or sysconfig.get_config_var("CXX") or "c++"
    return shutil.which(command.split()[0])


def _explain_absence() -> str:
    compiler = find_compiler()
    if compiler is None:
        mend = "there is no C++ compiler here: install one (Debian: apt install g++), then the package again"
    else:
        mend = f"there is {compiler} now: install the package again, with --verbose to see what it says"
    return (
        "engine native must have been compiled when the package was installed, and was not; "
        f"{mend} (pip install --no-deps --editable . in the checkout), or take engine fused"
    )


@cache
def _register() -> Callable[[int, int, int], int]:
    """Make the library's functions known to XLA, once.

    Returns:
        (bytes of a number, qubits, batch) -> how many numbers are kept for the gradient.

    Raises:
        UserError: the library was not built, or cannot be loaded, or this processor lacks what FORCED names.
    """
    path = find_library()
    if path is None:
        raise UserError(_explain_absence())
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise UserError(f"engine native: {path} cannot be loaded: {error}; take engine fused") from None
    library.qdllm_instruction_set.restype = ctypes.c_char_p
    wanted, found = os.environ.get(FORCED), library.qdllm_instruction_set().decode()
    if wanted not in (None, found):
        usable = INSTRUCTION_SETS[: INSTRUCTION_SETS.index(found) + 1]
        raise UserError(f"{FORCED} must be one of {', '.join(usable)} on this processor, got {wanted}")
    for precision in ("float32", "float64"):
        for direction in ("forward", "backward"):
            name = f"qdllm_{direction}_{precision}"
            jax.ffi.register_ffi_target(name, jax.ffi.pycapsule(getattr(library, name)), platform="cpu")
    library.qdllm_count_kept.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64)
    library.qdllm_count_kept.restype = ctypes.c_int64
    count: Callable[[int, int, int], int] = library.qdllm_count_kept
    return count
