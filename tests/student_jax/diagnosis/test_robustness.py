"""A student under shots and noise: limits known by hand, and invariances."""

import jax
import numpy as np
import pytest

from student_jax.checkpoint import Checkpoint, Description
from student_jax.config import CircuitConfig, StudentConfig
from student_jax.data.dataset import Split
from student_jax.diagnosis import robustness
from student_jax.diagnosis.robustness import measure_robustness, sample_expectations
from student_jax.model import build_model, build_scorer
from student_jax.parameters import initialise_parameters
from teacher_cache.errors import UserError


def make_student(readout="linear"):
    """An untrained student of two seeds, the second selected, and rows that it labels itself, but for one in four."""
    config = StudentConfig(circuit=CircuitConfig(qubits=3, layers=2, readout=readout), encoding_scale=1.0)
    random = np.random.default_rng(0)
    seeds = [initialise_parameters(config, 4, 2, random) for _ in range(2)]
    parameters = jax.tree.map(lambda *arrays: np.stack(arrays), *seeds)
    checkpoint = Checkpoint(Description(["a", "b"], 4, config, [0, 1], [1, 1], 1, 0.0, "0" * 64, {}), parameters)
    features = random.normal(size=(40, 4)).astype(np.float32)
    split = Split(features, np.zeros((40, 2), np.float32), np.zeros(40, np.int32))
    said = build_scorer(build_model(config, 4, 2), config.precision)(parameters, features)[1].argmax(axis=1)
    return checkpoint, split._replace(labels=np.where(np.arange(40) % 4, said, 1 - said).astype(np.int32))


@pytest.mark.parametrize("readout", ["linear", "first"])
def test_exact_values_without_noise_are_the_students(readout):
    """By hand: three of four rows carry the student's own answer."""
    [outcome] = measure_robustness(*make_student(readout), [0.0], [])
    assert outcome == (0.0, None, 0.75, 0.0)


def test_many_shots_are_the_exact_values_and_one_is_not():
    _, few, many = measure_robustness(*make_student(), [0.0], [1, 100_000], repeats=50)
    assert few.accuracy < 0.74  # its standard error is about 0.005
    assert many.accuracy == pytest.approx(0.75, abs=0.03)
    assert few.deviation > many.deviation


def test_full_noise_leaves_nothing_but_the_readouts_bias():
    """With <Z> = 0 the biases, equal here, decide nothing: every other answer is right."""
    _, sampled = measure_robustness(*make_student(), [0.75], [1000], repeats=20, runs=4000)
    assert sampled.accuracy == pytest.approx(0.5, abs=0.15)


def test_rows_may_be_simulated_in_parts(monkeypatch):
    whole = measure_robustness(*make_student(), [0.0], [])
    monkeypatch.setattr(robustness, "MAX_AMPLITUDES_LOG2", 4)  # two rows of three qubits
    assert measure_robustness(*make_student(), [0.0], []) == whole


def test_the_same_seed_gives_the_same_numbers():
    first, again, other = (measure_robustness(*make_student(), [0.01], [8], runs=8, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_qubits_of_one_shot_hang_together():
    """By hand: in (|00> + |11>) / sqrt 2 both qubits always give the same, and their means are 0 +- 1/sqrt(shots)."""
    bell = np.array([[0.5], [0], [0], [0.5]]).repeat(2000, axis=1)
    signs = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]])
    means = sample_expectations(bell, signs, 16, np.random.default_rng(0))
    np.testing.assert_array_equal(means[:, 0], means[:, 1])
    np.testing.assert_allclose(means.mean(axis=0), 0, atol=4 * 0.25 / 2000**0.5)
    np.testing.assert_allclose(means.std(axis=0), 0.25, rtol=0.1)


@pytest.mark.parametrize(
    ("noise", "shots", "message"),
    [
        (-0.1, 1, "noise must be a probability from 0 to 0.75, got -0.1"),
        (0.8, 1, "noise must be a probability from 0 to 0.75, got 0.8"),
        (0.0, 0, "shots must be at least 1, got 0"),
    ],
)
def test_refusals(noise, shots, message):
    with pytest.raises(UserError, match=message):
        measure_robustness(*make_student(), [noise], [shots])
