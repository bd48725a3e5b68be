"""A training by programs that were compiled before, against one that compiles its own."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from student_jax.config import CircuitConfig, StudentConfig
from student_jax.data.dataset import Split
from student_jax.model import build_model
from student_jax.training.epoch import fill_steps
from student_jax.training.programs import compile_programs
from student_jax.training.trainer import train, train_together

CONFIG = StudentConfig(circuit=CircuitConfig(qubits=2, layers=1), epochs=2, batch_size=8, seeds=1, learning_rate=0.02)


def make_dataset(rows):
    generator = np.random.default_rng(rows)

    def make_split(rows):
        features = generator.normal(size=(rows, 5)).astype(np.float32)
        score = 2 * features[:, :1]
        return Split(features, np.hstack([score, -score]), (score[:, 0] < 0).astype(np.int32))

    return {"train": make_split(rows), "validation": make_split(16)}


@pytest.fixture(scope="module")
def programs():
    """Epochs of five steps of eight rows."""
    return compile_programs(build_model(CONFIG, 5, 2), CONFIG, steps=5, batch=8, students=1, least=32)


def train_by(programs, rows, config):
    model = build_model(config, 5, 2)
    (training,) = train_together([model], make_dataset(rows), [config], 3, lambda *_: None, programs)
    return training


def test_where_the_rows_fill_the_steps_it_is_the_plain_training(programs):
    """40 rows are five steps of eight; behind them stand empty rows up to 64, which no step takes."""
    found = train_by(programs, 40, CONFIG)
    expected = train(build_model(CONFIG, 5, 2), make_dataset(40), CONFIG, 3, "test")
    jax.tree.map(np.testing.assert_array_equal, found.parameters, expected.parameters)
    np.testing.assert_allclose(
        [one.validation_loss for one in found.curves], [one.validation_loss for one in expected.curves], rtol=1e-6
    )


def test_other_rows_and_numbers_compile_nothing(programs):
    train_by(programs, 40, CONFIG)
    compiled = programs.run_epoch._cache_size()
    few, other = train_by(programs, 11, CONFIG), train_by(programs, 40, replace(CONFIG, l2=0.5))
    assert programs.run_epoch._cache_size() == compiled
    assert few.parameters.encoding.weight.shape == other.parameters.encoding.weight.shape
    assert not np.array_equal(few.parameters.encoding.weight, other.parameters.encoding.weight)


@pytest.mark.parametrize("rows", [3, 11, 40, 100])
def test_no_row_has_a_turn_again_before_each_has_had_one(rows):
    order = fill_steps(np.random.default_rng(0), rows, 5, 8)
    assert order.shape == (5, 8)
    counts = np.bincount(order.ravel(), minlength=rows)
    assert len(counts) == rows
    assert counts.max() - counts.min() <= 1
    first = order.ravel()[:rows]
    assert len(set(first.tolist())) == len(first)
