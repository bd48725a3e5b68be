"""Several devices train the same students as one: seeds on their own devices, or a batch shared."""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
# Prints the mesh and every number of the trained students; its argument is the number of seeds.
JOB = """
import sys
import jax
import numpy as np
from student_jax.config import CircuitConfig, StudentConfig
from student_jax.data.dataset import Split
from student_jax.devices import share_training
from student_jax.model import build_model
from student_jax.training.trainer import train

seeds = int(sys.argv[1])
random = np.random.default_rng(3)
splits = {
    name: Split(random.normal(size=(rows, 8)).astype(np.float32), random.normal(size=(rows, 3)).astype(np.float32),
                random.integers(0, 3, rows))
    for name, rows in (("train", 200), ("validation", 50))
}
circuit = CircuitConfig(qubits=2, layers=1)
config = StudentConfig(circuit=circuit, seeds=seeds, batch_size=32, epochs=2, encoding_scale=1.0)
found = train(build_model(config, 8, 3), splits, config, 5, "job")
print(*share_training(seeds, 32).devices.shape, share_training(seeds, 8).shape["rows"])
print(*np.concatenate([array.ravel() for array in jax.tree.leaves(found.parameters)]))
print(*found.best_epochs, *[number for result in found.curves for number in result])
"""


@cache
def run(devices: int, seeds: int) -> tuple[list[int], np.ndarray]:
    """Seeds and rows that a batch of 32 is cut into, rows that one of 8 is; and the students' numbers."""
    environment = os.environ | {"XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}"}
    command = [sys.executable, "-c", JOB, str(seeds)]
    done = subprocess.run(command, check=True, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    shares, *numbers = done.stdout.splitlines()
    return list(map(int, shares.split())), np.array(" ".join(numbers).split(), float)


@pytest.mark.parametrize(
    ("devices", "seeds", "shares"),
    [
        pytest.param(2, 1, [1, 2, 1], id="a batch on two devices, unless it is too small"),
        pytest.param(2, 3, [2, 1, 1], id="three seeds on two devices"),
    ],
)
def test_devices_change_nothing(devices, seeds, shares):
    alone, expected = run(1, seeds)
    shared, found = run(devices, seeds)
    assert (alone, shared) == ([1, 1, 1], shares)
    np.testing.assert_allclose(found, expected, atol=1e-5)
