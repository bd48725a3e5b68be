"""Which devices compute, and how a batch is shared among them.

In: nothing.  Out: use_cores(), share_rows(), ROWS.  Imports: jax.

JAX takes a CPU for one device, whose small matrix products run on one core. As many devices as cores, each with its
share of the rows, use them all; the GPUs of a machine share a batch in the same way.
"""

import os

import jax
from jax.sharding import Mesh

# The mesh's one axis: what a batch is cut along.
ROWS = "rows"

# With fewer rows a device waits longer for the others than it computes.
ROWS_PER_DEVICE = 16


def use_cores() -> None:
    """Let JAX take every core that this process may use for a device; to be called before anything is computed."""
    jax.config.update("jax_num_cpu_devices", len(os.sched_getaffinity(0)))


def share_rows(batch: int) -> Mesh:
    """The devices among which a batch of `batch` rows is shared: as many as give equal shares of enough rows."""
    equal = (count for count in range(1, jax.device_count() + 1) if batch % count == 0)
    count = max(count for count in equal if count == 1 or batch >= count * ROWS_PER_DEVICE)
    return Mesh(jax.devices()[:count], ROWS)
