"""Which devices compute, and what each of them does.

In: numbers of seeds and rows.  Out: use_cores(), share_training(), share_rows(), SEEDS, ROWS.  Imports: jax, numpy.

JAX takes a CPU for one device, whose small matrix products run on one core. Seeds on devices of their own use as many
cores and never wait for each other. What devices are left share a batch, and sum its gradient after every step.
"""

import os

import jax
import numpy as np
from jax.sharding import Mesh

# The axes of a mesh of devices: what is cut along them.
SEEDS, ROWS = "seeds", "rows"

# With fewer rows a device waits longer for the others than it computes.
ROWS_PER_DEVICE = 16


def use_cores() -> None:
    """Let JAX take every core that this process may use for a device; to be called before anything is computed."""
    jax.config.update("jax_num_cpu_devices", len(os.sched_getaffinity(0)))


def share_training(seeds: int, batch: int) -> Mesh:
    """Devices that train `seeds` students, SEEDS by ROWS; rows of a batch are shared where devices are left."""
    devices = jax.devices()
    rounds = -(-seeds // len(devices))
    columns = -(-seeds // rounds)
    rows = _count_sharers(batch, len(devices) // columns)
    return Mesh(np.array(devices[: columns * rows]).reshape(columns, rows), (SEEDS, ROWS))


def share_rows(batch: int) -> Mesh:
    """Devices among which a batch is shared, along ROWS."""
    return Mesh(jax.devices()[: _count_sharers(batch, jax.device_count())], ROWS)


def _count_sharers(batch: int, devices: int) -> int:
    """How many of the devices get equal shares of enough rows."""
    equal = (count for count in range(1, devices + 1) if batch % count == 0)
    return max(count for count in equal if count == 1 or batch >= count * ROWS_PER_DEVICE)
