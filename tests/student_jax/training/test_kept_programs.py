"""Training by kept programs: padding changes nothing, and another fit of the same shapes compiles nothing."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from student_jax.config import CircuitConfig, StudentConfig
from student_jax.data.dataset import Split
from student_jax.model import build_model
from student_jax.training import kept_programs
from student_jax.training.kept_programs import plan_epochs, score_kept, train_kept
from student_jax.training.trainer import train

CONFIG = StudentConfig(
    circuit=CircuitConfig(qubits=2, layers=1), epochs=2, min_steps=32, batch_size=8, seeds=2, learning_rate=0.02
)


def make_dataset(rows, dimensions=5):
    generator = np.random.default_rng(rows)

    def make_split(rows):
        features = generator.normal(size=(rows, dimensions)).astype(np.float32)
        score = 2 * features[:, :1]
        return Split(features, np.hstack([score, -score]), (score[:, 0] < 0).astype(np.int32))

    return {"train": make_split(rows), "validation": make_split(16)}


@pytest.fixture(scope="module")
def training():
    return train_kept(CONFIG, make_dataset(128), 2, 3)


def test_it_is_the_plain_training_of_whole_batches(training):
    """128 rows are sixteen steps of eight; eleven features are empty, and get no weights. Encoding and readout alone:
    an angle without effect has a gradient of rounding errors, which Adam magnifies.
    """
    expected = train(build_model(CONFIG, 5, 2), make_dataset(128), CONFIG, 3, "test")
    for name in ("encoding", "readout"):
        pair = (getattr(one.parameters, name) for one in (training, expected))
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), *pair)
    assert (training.seeds, training.best_epochs) == (expected.seeds, expected.best_epochs)


def test_other_rows_features_and_numbers_compile_nothing(training):
    before = kept_programs._compile_training.cache_info().misses
    train_kept(CONFIG, make_dataset(20, 9), 2, 0)
    train_kept(replace(CONFIG, learning_rate=0.5, l2=0.1, encoding_scale=1.0), make_dataset(90, 3), 2, 0)
    assert kept_programs._compile_training.cache_info().misses == before


@pytest.mark.parametrize(
    ("rows", "changes", "plan"),
    [
        (4, {}, (16, 2)),  # an epoch takes 128 of eight
        (4, {"min_steps": 250}, (16, 16)),
        (128, {"epochs": 3}, (16, 3)),
        (1000, {}, (64, 4)),  # of 125 steps the power of two below; 4 * 64 * 8 are two turns of each
    ],
)
def test_rows_have_their_turns_and_the_optimizer_its_steps(rows, changes, plan):
    assert plan_epochs(replace(CONFIG, **changes), rows) == plan


def test_a_batch_of_more_rows_than_there_are_is_no_larger_than_they_need():
    found = [
        train_kept(replace(CONFIG, batch_size=size, seeds=1), make_dataset(20), 2, 3).parameters
        for size in (32, 100_000)
    ]
    jax.tree.map(np.testing.assert_array_equal, *found)


def test_scores_are_those_of_the_training_in_float64(training):
    features = make_dataset(300)["train"].features
    found = score_kept(CONFIG, 2, training.parameters, features)
    assert found.dtype == np.float64
    assert found.shape == (2, 300, 2)
    alone = score_kept(CONFIG, 2, training.parameters, features[7:8])
    np.testing.assert_allclose(alone[:, 0], found[:, 7], rtol=0, atol=1e-12)
    wide = np.pad(features, ((0, 0), (0, 11)))
    weight = np.pad(training.parameters.encoding.weight, ((0, 0), (0, 11), (0, 0)))
    narrow = training.parameters._replace(encoding=training.parameters.encoding._replace(weight=weight))
    np.testing.assert_allclose(training.score(narrow, wide), found, atol=1e-5)
