"""Which devices compute, and what each of them does.

In: numbers of students and rows.  Out: use_cores(), share_training(), share_rows(), map_students(),
count_together(), require_memory(), STUDENTS, ROWS.
Imports: jax, numpy.

JAX takes a CPU for one device, whose small matrix products run on one core. Students on devices of their own use as
many cores and never wait for each other. What devices are left share a batch, and sum its gradient after every step.
"""

import os
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from student_jax.free_memory import find_free_memory
from teacher_cache.errors import UserError

# The axes of a mesh of devices: what is cut along them.
STUDENTS, ROWS = "students", "rows"

# What an accelerator or a CPU's threads simulate side by side: 128 MiB of complex64, some of which a gradient needs.
MAX_AMPLITUDES_AT_ONCE = 2**24

# How many arrays of a batch's amplitudes a gradient step of `fused` holds by XLA's own account: 6.4 with one layer, 9
# to 14 with four and eight, at 12 to 16 qubits. What has no room for the fewest, or for two to score, is refused.
GRADIENT_COPIES, SCORING_COPIES = 6, 2

# With fewer rows a device waits longer for the others than it computes.
ROWS_PER_DEVICE = 16


def use_cores() -> None:
    """Let JAX take every core that this process may use for a device; to be called before anything is computed."""
    jax.config.update("jax_num_cpu_devices", len(os.sched_getaffinity(0)))


def share_training(students: int, batch: int, threads: bool = False) -> Mesh:
    """Devices that train `students` students, STUDENTS by ROWS; rows of a batch are shared where devices are left.

    Args:
        students: how many.
        batch: rows of a step.
        threads: whether the simulation shares all students' rows among the cores by itself, as `native` does.
    """
    devices = jax.devices()[:1] if threads else jax.devices()
    rounds = -(-students // len(devices))
    columns = -(-students // rounds)
    rows = _count_sharers(batch, len(devices) // columns)
    return Mesh(np.array(devices[: columns * rows]).reshape(columns, rows), (STUDENTS, ROWS))


def require_memory(amplitudes: int, rows: int, precision: str, copies: int = GRADIENT_COPIES) -> None:
    """Refuse a simulation that cannot fit the memory there is, before it is compiled for.

    Args:
        amplitudes: how many of them the simulation of one row holds.
        rows: how many are simulated side by side.
        precision: float32 or float64, of which an amplitude has two numbers.
        copies: how many arrays of so many amplitudes are held at least.

    Raises:
        UserError: naming what is needed at least, and what there is.
    """
    needed = copies * rows * amplitudes * 2 * np.dtype(precision).itemsize
    free = _find_free_memory()
    if needed > free:
        raise UserError(
            f"circuit.qubits {amplitudes.bit_length() - 1} with {rows} texts at a time must fit the memory: "
            f"{needed / 2**30:,.1f} GiB are needed at least, got {free / 2**30:,.1f} GiB free; set fewer qubits"
            + (", or a smaller batch_size" if rows > 1 else "")
        )


def _find_free_memory() -> int:
    """Bytes that can still be had: of an accelerator, where there is one, else of the machine or container."""
    statistics = jax.devices()[0].memory_stats()
    if statistics and "bytes_limit" in statistics:
        return int(statistics["bytes_limit"]) - int(statistics.get("bytes_in_use", 0))
    return find_free_memory()


def map_students(function: Callable[[Any], Any], students: Any, amplitudes: int, threads: bool = False) -> Any:
    """`function` of every student, along the leading axis of `students`, as many side by side as count_together says.

    Args:
        function: a function that JAX can vmap.
        students: its argument, every array with a leading axis of students.
        amplitudes: how many of them one student's simulation holds.
        threads: as of share_training.
    """
    together = count_together(amplitudes, threads)
    return jax.lax.map(function, students, batch_size=None if together == 1 else together)


def count_together(amplitudes: int, threads: bool) -> int:
    """How many students of so many amplitudes are simulated side by side on a device; arguments as of map_students.

    On a CPU one, unless its threads share them: a gradient step of 11 qubits took a core 7.0 to 7.6 ms so, and 9.8 to
    10.9 ms where XLA had stacks of small matrices to multiply.
    """
    if jax.default_backend() == "cpu" and not threads:
        return 1
    return max(1, MAX_AMPLITUDES_AT_ONCE // amplitudes)


def share_rows(batch: int) -> Mesh:
    """Devices among which a batch is shared, along ROWS."""
    return Mesh(jax.devices()[: _count_sharers(batch, jax.device_count())], ROWS)


def _count_sharers(batch: int, devices: int) -> int:
    """How many of the devices get equal shares of enough rows."""
    equal = (count for count in range(1, devices + 1) if batch % count == 0)
    return max(count for count in equal if count == 1 or batch >= count * ROWS_PER_DEVICE)
