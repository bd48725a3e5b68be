"""Several devices train the same students as one: seeds on their own devices, or a batch shared."""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from student_jax import free_memory
from student_jax.config import CircuitConfig, StudentConfig
from student_jax.data.dataset import Split
from student_jax.devices import require_memory
from student_jax.model import build_model
from student_jax.training.trainer import train
from teacher_cache.errors import UserError

ROOT = Path(__file__).parents[2]
JOBS = ("1 fused", "3 fused", "3 native")
# Prints the mesh and every number of the trained students; its arguments are jobs: seeds and an engine.
JOB = """
import sys
import jax
import numpy as np
from student_jax.config import CircuitConfig, StudentConfig
from student_jax.data.dataset import Split
from student_jax.devices import share_training
from student_jax.model import build_model
from student_jax.training.trainer import train

random = np.random.default_rng(3)
splits = {
    name: Split(random.normal(size=(rows, 8)).astype(np.float32), random.normal(size=(rows, 3)).astype(np.float32),
                random.integers(0, 3, rows))
    for name, rows in (("train", 200), ("validation", 50))
}
circuit = CircuitConfig(qubits=2, layers=1)
for job in sys.argv[1:]:
    seeds, engine = int(job.split()[0]), job.split()[1]
    config = StudentConfig(circuit=circuit, engine=engine, seeds=seeds, batch_size=32, epochs=2, encoding_scale=1.0)
    found = train(build_model(config, 8, 3), splits, config, 5, "job")
    threads = engine == "native"
    print(*share_training(seeds, 32, threads).devices.shape, *share_training(seeds, 8, threads).devices.shape)
    print(*np.concatenate([array.ravel() for array in jax.tree.leaves(found.parameters)]), end=" ")
    print(*found.best_epochs, *[number for result in found.curves for number in result])
"""


@cache
def run(devices: int) -> list[tuple[list[int], np.ndarray]]:
    """Of each job: seeds and rows that a batch of 32 is cut into, and one of 8; and the students' numbers."""
    environment = os.environ | {"XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}"}
    command = [sys.executable, "-c", JOB, *JOBS]
    done = subprocess.run(command, check=True, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    lines = done.stdout.splitlines()
    shares = [list(map(int, line.split())) for line in lines[::2]]
    return list(zip(shares, [np.array(line.split(), float) for line in lines[1::2]], strict=True))


@pytest.mark.parametrize(
    ("job", "shares"),
    [
        pytest.param(0, [1, 2, 1, 1], id="a batch on two devices, unless it is too small"),
        pytest.param(1, [2, 1, 2, 1], id="three seeds on two devices"),
        pytest.param(2, [1, 1, 1, 1], id="three seeds in one call whose threads share them"),
    ],
)
def test_devices_change_nothing(job, shares):
    alone, expected = run(1)[job]
    shared, found = run(2)[job]
    assert (alone, shared) == ([1, 1, 1, 1], shares)
    np.testing.assert_allclose(found, expected, atol=1e-5)


GIBIBYTE = 1 << 30


@pytest.fixture
def container(tmp_path, monkeypatch):
    """Says what a container may have and has, in GiB; the machine itself has 100."""
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=100 * GIBIBYTE))
    monkeypatch.setattr(free_memory, "CONTAINER", tmp_path)

    def limit(most, used, files):
        (tmp_path / "memory.max").write_text(f"{most}\n")
        (tmp_path / "memory.current").write_text(f"{used * GIBIBYTE}\n")
        (tmp_path / "memory.stat").write_text(f"anon 7\nfile {files * GIBIBYTE}\n")

    return limit


@pytest.mark.parametrize("qubits", [22, 26, 30])
def test_more_qubits_than_the_memory_takes_are_refused_in_one_line(qubits, container):
    """By hand: 2^22 amplitudes of 8 bytes are 1/32 GiB, six arrays of 64 rows 12 GiB; of 2^26 16 times as much."""
    needed = 12 * 2 ** (qubits - 22)
    container(8 * GIBIBYTE, 3, 2)  # of the 3 GiB used 2 are files' pages: 7 are free
    with pytest.raises(UserError) as caught:
        require_memory(1 << qubits, 64, "float32")
    assert str(caught.value) == (
        f"circuit.qubits {qubits} with 64 texts at a time must fit the memory: {needed:,.1f} GiB are needed at least, "
        "got 7.0 GiB free; set fewer qubits, or a smaller batch_size"
    )
    require_memory(1 << 20, 64, "float32")  # 3 GiB
    container("max", 3, 0)
    require_memory(1 << 24, 64, "float32")  # 48 GiB of the machine's 100


def test_training_asks_for_its_memory_before_anything_is_compiled(container):
    container(2 * GIBIBYTE, 1, 0)
    config = StudentConfig(circuit=CircuitConfig(qubits=22), seeds=1)
    split = Split(np.zeros((64, 2), np.float32), np.zeros((64, 2), np.float32), np.zeros(64, np.int32))
    with pytest.raises(UserError, match=r"circuit\.qubits 22 with 64 texts at a time must fit the memory: 12\.0 GiB"):
        train(build_model(config, 2, 2), {"train": split, "validation": split}, config, 0, "test")
