"""How much memory can still be had, on the machine or in the container.

In: what Linux says.  Out: find_free_memory().  Imports: psutil.
"""

from pathlib import Path

import psutil

# Where Linux says what a container may have (cgroup v2).
CONTAINER = Path("/sys/fs/cgroup")


def find_free_memory() -> int:
    """Bytes that are free or given up at once: the container's, where it has a limit below the machine's."""
    free = int(psutil.virtual_memory().available)
    try:
        limit, used = (int((CONTAINER / name).read_text()) for name in ("memory.max", "memory.current"))
        shares = dict(line.split() for line in (CONTAINER / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # no container, or one without a limit, which says "max"
        return free
    return min(free, limit - used + int(shares.get("file", 0)))  # files' pages are given up where they are in the way
