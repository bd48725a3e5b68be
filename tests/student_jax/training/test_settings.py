"""Settings trained together are what they are alone, whatever becomes of their neighbours."""

from dataclasses import replace

import numpy as np
import pytest

from student_jax.config import CircuitConfig, LossConfig, StudentConfig
from student_jax.data.dataset import Split
from student_jax.model import build_model
from student_jax.training import settings as sweep
from student_jax.training.settings import Failure, cut, train_settings
from student_jax.training.trainer import train
from teacher_cache.schema import NO_LABEL

PLAIN = StudentConfig(
    circuit=CircuitConfig(qubits=2, layers=1), epochs=3, batch_size=8, seeds=2, learning_rate=0.02, encoding_scale=0.3
)
# All that a program takes as an argument, or that only initial values depend on, and what needs a program of its own.
SETTINGS = [
    PLAIN,
    replace(PLAIN, learning_rate=0.1, weight_decay=0.1),
    replace(PLAIN, encoding_scale=1.0, angle_scale=0.01),
    replace(PLAIN, loss=LossConfig(soft=0.5, hard=0.5, kl=0.0, temperature=3.0)),
    replace(PLAIN, learning_rate=0.5, patience=1),
    replace(PLAIN, clip_norm=0.01),
    replace(PLAIN, clip_norm=0.1),
    replace(PLAIN, schedule="constant"),
    replace(PLAIN, circuit=CircuitConfig(qubits=2, layers=1, readout="first"), batch_size=16, seeds=1),
]


def build(config):
    return build_model(config, 5, 2)


@pytest.fixture(scope="module")
def dataset():
    generator = np.random.default_rng(0)

    def make_split(rows):
        features = generator.normal(size=(rows, 5)).astype(np.float32)
        score = 2 * features[:, :1]
        noisy = score[:, 0] + generator.normal(size=rows) < 0
        return Split(features, np.hstack([score, -score]), noisy.astype(np.int32))

    return {"train": make_split(42), "validation": make_split(40), "test": make_split(60)}


def test_a_setting_is_what_training_it_alone_gives(dataset, monkeypatch):
    """In parts of four students, so that a part ends in the midst of a program's settings."""
    monkeypatch.setattr(sweep, "MAX_STUDENTS", 4)
    found = train_settings(SETTINGS, build, dataset, 7, "test")
    for config, one in zip(SETTINGS, found, strict=True):
        alone = train(build(config), dataset, config, 7, "test")
        assert (one.seeds, one.best_epochs, one.selected) == (alone.seeds, alone.best_epochs, alone.selected)
        for row, expected in zip(one.best_results(), alone.best_results(), strict=True):
            assert row == pytest.approx(expected, abs=1e-5)
        scores = one.score(one.parameters, dataset["test"].features)
        np.testing.assert_allclose(scores, alone.score(alone.parameters, dataset["test"].features), atol=1e-4)
    assert len({one.best_results()[0].validation_loss for one in found}) == len(SETTINGS)


def test_a_setting_that_fails_stops_no_other(dataset):
    configs = [
        replace(PLAIN, learning_rate=1e38, weight_decay=1e38),
        replace(PLAIN, circuit=CircuitConfig(qubits=2, layers=1, readout="first"), engine="lightning.gpu"),
        PLAIN,
    ]
    diverged, refused, found = train_settings(configs, build, dataset, 7, "test")
    assert diverged == Failure("validation loss must be finite, got nan in epoch 1; lower learning_rate")
    assert "lightning.gpu" in refused.problem
    assert found.curves == train_settings([PLAIN], build, dataset, 7, "test")[0].curves


def test_parts_are_equal_and_lose_nothing():
    assert [list(part) for part in cut(range(7), 3)] == [[0, 1, 2], [3, 4, 5], [6, 6, 6]]
    assert [list(part) for part in cut(range(5), 3)] == [[0, 1, 2], [3, 4, 4]]
    assert [list(part) for part in cut([8, 9], 0)] == [[8], [9]]


def test_memory_that_lacks_for_many_is_enough_for_few(dataset, monkeypatch):
    """Where no more than two train together, and one setting does not fit at all."""
    whole = sweep.train_together

    def train_few(models, dataset, configs, *others):
        if len(configs) > 2 or any(config.learning_rate == 0.3 for config in configs):
            raise MemoryError
        return whole(models, dataset, configs, *others)

    monkeypatch.setattr(sweep, "train_together", train_few)
    configs = [replace(PLAIN, learning_rate=rate) for rate in (0.02, 0.05, 0.1, 0.2, 0.3)]
    told = {}
    found = train_settings(configs, build, dataset, 7, "test", told.__setitem__)
    assert told == dict(enumerate(found))
    assert [isinstance(one, Failure) for one in found] == [False, False, False, False, True]
    assert "there must be memory for a setting" in found[-1].problem
    assert found[0].curves == train_settings([PLAIN], build, dataset, 7, "test")[0].curves


def test_a_curve_of_pools_is_one_call(dataset):
    """Each size is what training it alone gives; a size without texts is what there is without a pool."""
    ids, pool = np.arange(30, dtype=">u8").repeat(2).view("V16"), dataset["test"]
    rows = Split(pool.features[:30], pool.logits[:30], np.full(30, NO_LABEL, np.int32), ids)
    sizes = [0, 10, None]
    found = train_settings([replace(PLAIN, pool=size) for size in sizes], build, {**dataset, "pool": rows}, 7, "test")
    cut_off = rows._replace(**{key: getattr(rows, key)[:10] for key in ("features", "logits", "labels", "ids")})
    alone = [dataset, {**dataset, "pool": cut_off}, {**dataset, "pool": rows}]
    for one, expected in zip(found, alone, strict=True):
        assert one.curves == train(build(PLAIN), expected, PLAIN, 7, "test").curves
    assert len({one.best_results()[0].validation_loss for one in found}) == 3
