"""The compiled engine: every size, every instruction set, batches of every kind, devices, and where it is not there."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from student_jax.config import CircuitConfig
from student_jax.engines import build_engine, native
from teacher_cache.errors import UserError
from tests.student_jax.engines.shared_rows import compute_shared, draw
from tests.student_jax.engines.test_engines import assert_agrees, make_circuit

ROOT = Path(__file__).parents[3]
# Half of the sizes as rings, half of them read from two qubits: (qubits, layers, entanglement, readout, rotations).
SIZES = [
    (qubits, 2, "chain" if qubits % 2 else "ring", "linear" if qubits % 4 < 2 else "first", "tied")
    for qubits in range(2, 15)
]


@pytest.mark.parametrize("settings", SIZES)
def test_every_size_agrees(settings):
    circuit = make_circuit(*settings)
    with jax.enable_x64(True):
        assert_agrees(build_engine("native", circuit, 2, "float64"), circuit, 1e-10)


@partial(jax.jit, static_argnums=0)
def differentiate(circuit, z, angles):
    """Values, and the gradients of the sum of their sines, by `native`."""
    values, pull = jax.vjp(build_engine("native", circuit, 2, "float32"), z, angles)
    return values, *pull(jnp.cos(values))


@pytest.mark.parametrize("batch", [0, 1, 7, 8, 16, 17, 33])
def test_batches_of_every_kind(batch):
    """As its rows one by one: a block has up to sixteen samples, and is full, half full, or not there."""
    circuit = CircuitConfig(qubits=4, layers=3, entanglement="ring")
    z, angles = draw(circuit, batch, "float32")
    values, by_z, by_angles = differentiate(circuit, z, angles)
    rows = [differentiate(circuit, row[None], angles) for row in z]
    for whole, each in ((values, 0), (by_z, 1)):
        np.testing.assert_allclose(whole, np.concatenate([whole[:0], *(row[each] for row in rows)]), rtol=0, atol=1e-6)
    for whole, *each in zip(by_angles, *(row[2] for row in rows), strict=True):
        np.testing.assert_allclose(whole, np.sum([np.zeros_like(whole), *each], axis=0), rtol=0, atol=2e-5)


def assert_same_trees(together, alone):
    """Every array of `together` has those of `alone` one behind the other, but for the order in which XLA adds."""
    for whole, *each in zip(jax.tree.leaves(together), *map(jax.tree.leaves, alone), strict=True):
        np.testing.assert_allclose(whole, np.stack(each), rtol=0, atol=2e-6)


@pytest.mark.parametrize(("qubits", "students", "batch"), [(4, 3, 20), (11, 120, 3)])
def test_many_students_in_one_call_are_each_by_itself(qubits, students, batch):
    """Also where there are more than are prepared at once: in 16 MiB 82 of 11 qubits and 7 layers."""
    circuit = CircuitConfig(qubits=qubits, layers=7)
    z, angles = draw(circuit, students * batch, "float32")
    z = z.reshape(students, batch, qubits)
    angles = jax.tree.map(lambda one: jnp.stack([one * (1 - k / students) for k in range(students)]), angles)
    together = jax.vmap(partial(differentiate, circuit))(z, angles)
    alone = [differentiate(circuit, z[k], jax.tree.map(lambda one, k=k: one[k], angles)) for k in range(students)]
    assert_same_trees(together, alone)


def test_of_several_students_some_may_share_their_texts_or_angles():
    circuit = CircuitConfig(qubits=3, layers=2)
    z, angles = draw(circuit, 10, "float32")
    halves = z.reshape(2, 5, 3)
    together = jax.vmap(partial(differentiate, circuit), in_axes=(0, None))(halves, angles)
    alone = [differentiate(circuit, half, angles) for half in halves]
    assert_same_trees(together, alone)


def test_steps_of_a_scan_are_the_same_steps():
    circuit = CircuitConfig(qubits=3, layers=2)
    z, angles = draw(circuit, 20, "float32")

    def step(angles, _):
        _, _, gradient = differentiate(circuit, z, angles)
        return jax.tree.map(lambda a, b: a - b / 10, angles, gradient), None

    scanned = jax.jit(lambda angles: jax.lax.scan(step, angles, None, length=4)[0])(angles)
    alone = angles
    for _ in range(4):
        alone, _ = jax.jit(step)(alone, None)
    for a, b in zip(scanned, alone, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture(scope="module")
def alone():
    with jax.enable_x64(True):
        return compute_shared()


@pytest.mark.parametrize("name", ["baseline", "avx2"])
def test_every_instruction_set_computes_the_same_on_two_devices(name, alone, tmp_path):
    """With the widest one in this process, on one device; 22 rows a device are no whole number of blocks."""
    environment = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=2", native.FORCED: name}
    command = [sys.executable, "-m", "tests.student_jax.engines.shared_rows", str(tmp_path / "found.npz")]
    done = subprocess.run(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    if name == "avx2" and done.returncode:  # the processor lacks it
        assert "must be one of baseline on this processor, got avx2" in done.stderr
        return
    assert not done.returncode, done.stderr
    with np.load(tmp_path / "found.npz") as found:
        for a, b in zip(found.values(), alone, strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 if a.dtype == np.float32 else 1e-12)


def test_with_a_compiler_the_library_is_there():
    """Whoever can build it must have built it: `pip install --editable .`, which make does."""
    assert native.find_compiler() is None or native.find_library() is not None, native.find_compiler()


@pytest.mark.parametrize(
    ("compiler", "advice"),
    [("/bin/sh", "there is /bin/sh now: install the package"), ("nothing-there", "no C++ compiler")],
)
def test_without_the_library_it_is_refused_by_name(compiler, advice, monkeypatch):
    monkeypatch.setattr(native, "LIBRARY", "student_jax.engines._nowhere")
    monkeypatch.setenv("CXX", compiler)
    native._register.cache_clear()
    with pytest.raises(UserError, match=r"engine native must have been compiled.*take engine fused") as caught:
        build_engine("native", CircuitConfig(qubits=2), 2, "float32")
    assert advice in str(caught.value)
    native._register.cache_clear()


def test_more_qubits_than_it_has_room_for_are_refused():
    with pytest.raises(UserError, match="engine native simulates 24 qubits at most, got 25; take engine fused"):
        build_engine("native", CircuitConfig(qubits=25, layers=1), 2, "float32")


def test_an_accelerator_is_refused(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    with pytest.raises(UserError, match="engine native computes on the CPU alone, got gpu; take engine fused"):
        build_engine("native", CircuitConfig(qubits=2), 2, "float32")
