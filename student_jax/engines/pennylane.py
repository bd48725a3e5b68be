"""PennyLane's own simulators behind the engine interface: default.qubit, lightning.qubit, lightning.gpu.

In: a CircuitConfig and a device's name.  Out: build_pennylane().  Imports: jax, pennylane.
default.qubit is the reference: one broadcast run, differentiated by backprop.  The lightning devices work under jit
and vmap, but run sample by sample underneath; they differentiate by the adjoint method.
"""

import warnings
from dataclasses import replace

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float
from pennylane.exceptions import DeviceError

from student_jax.circuit import Angles, build_qnode, sum_rotations
from student_jax.config import CircuitConfig
from student_jax.engines.interface import Engine, check_shapes, require_precision
from teacher_cache.errors import UserError

INSTALL = {"lightning.gpu": "pip install 'qdllm[gpu]'"}


def build_pennylane(name: str, circuit: CircuitConfig, classes: int, precision: str) -> Engine:
    """An engine that runs the QNode on PennyLane's device `name`, equal rotations in a row summed.

    Raises:
        UserError: the device is not installed or lacks its CUDA libraries or its GPU; or `precision` is not enabled.
    """
    dtype = require_precision(precision)
    try:
        qnode = build_qnode(replace(circuit, rotations="tied"), classes, name)
    except (DeviceError, ImportError, OSError, RuntimeError) as error:
        # Without CUDA's libraries lightning.gpu says that its binaries are not available, which they are.
        missing = "re-compiled binaries" in str(error)
        reason = "CUDA 12 libraries not found" if missing else str(error).splitlines()[0]
        raise UserError(
            f"engine {name} must be installed, got: {reason}; run {INSTALL.get(name, 'pip check')}"
        ) from error

    def simulate(z: Float[Array, "*batch qubits"], angles: Angles) -> Float[Array, "*batch outputs"]:
        with warnings.catch_warnings():
            # default.qubit asks for complex128 and takes complex64 where JAX is in 32-bit mode, as it was told to be.
            warnings.filterwarnings("ignore", "Explicitly requested dtype complex128", UserWarning)
            return jnp.stack(qnode(z, angles), axis=-1)

    if name != "default.qubit":
        # PennyLane would split a broadcast run as well, and takes longer to do so (about 3 times, 5 qubits, batch 4).
        simulate = jax.vmap(simulate, in_axes=(0, None))

    def run(z: Float[Array, "batch qubits"], angles: Angles) -> Float[Array, "batch outputs"]:
        check_shapes(circuit, z, angles)
        return simulate(z, sum_rotations(angles)).astype(dtype)

    return run
