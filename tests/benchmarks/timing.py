"""How a time is taken, and what machine it is of.

In: functions to call.  Out: time_rounds(), measure(), describe_times(), describe_machine(), read_commit().
Imports: jax, NumPy.
"""

import os
import platform
import subprocess
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import jax
import numpy as np

PEERS = ("pennylane", "pennylane-lightning", "tensorcircuit-ng", "mindquantum", "scaluq", "qulacs", "flagquantum")


def time_rounds(calls: dict[Any, Callable[[], Any]], rounds: int) -> dict[Any, list[float]]:
    """Seconds of a call in every round; each round runs each for at least 50 ms, in turn."""
    repeats, times = {}, {name: [] for name in calls}
    for name, call in calls.items():
        jax.block_until_ready(call())
        start = time.perf_counter()
        jax.block_until_ready(call())
        repeats[name] = max(1, min(500, int(0.05 / (time.perf_counter() - start))))
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            for _ in range(repeats[name]):
                result = call()
            jax.block_until_ready(result)
            times[name].append((time.perf_counter() - start) / repeats[name])
    return times


def measure(calls: dict[Any, Callable[[], Any]], rounds: int) -> dict[Any, float]:
    """The median of these."""
    return {name: float(np.median(seconds)) for name, seconds in time_rounds(calls, rounds).items()}


def describe_times(seconds: list[float], steps: int = 1) -> dict[str, Any]:
    """Milliseconds a step, the median, and those of every round."""
    ms = [1000 * one / steps for one in seconds]
    return {"ms": float(np.median(ms)), "rounds_ms": [round(one, 4) for one in ms]}


def describe_machine() -> dict[str, Any]:
    packages = ("jax", "numpy", *PEERS)
    versions = {}
    for package in packages:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "missing"
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.processor()
    return {
        "cpu": model, "cores": os.cpu_count(), "load": os.getloadavg()[0], "python": platform.python_version(),
        "versions": versions,
    }  # fmt: skip


def read_commit() -> str:
    """The commit that is checked out, "-dirty" behind it where files differ; "unknown" outside of a clone."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=10", "--exclude=*"]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"
