"""What is trained beside the student."""

from dataclasses import replace

import numpy as np
import pytest

from student_jax.config import CircuitConfig, LossConfig, StudentConfig
from student_jax.dataset import Split
from student_jax.predictions import train_term

LABELS = np.arange(32) % 2
CONFIG = StudentConfig(
    circuit=CircuitConfig(qubits=3, layers=1), epochs=12, batch_size=8, seeds=2, learning_rate=0.1, schedule="constant"
)


def make_dataset(logits):
    """Two classes that the first feature tells apart; a teacher of our choice."""
    features = np.random.default_rng(0).normal(size=(32, 4)).astype(np.float32)
    features[:, 0] = np.where(LABELS == 1, 2, -2)
    return dict.fromkeys(("train", "validation", "test"), Split(features, logits.astype(np.float32), LABELS))


LYING = make_dataset(np.where(LABELS[:, None] == [1, 0], 3.0, -3.0))
FAITHFUL = make_dataset(np.where(LABELS[:, None] == [0, 1], 3.0, -3.0))


@pytest.mark.parametrize("term", ["kl", "js"])
def test_a_teachers_term_learns_what_the_teacher_says_and_not_the_labels(term):
    """The teacher always names the other class."""
    for said in train_term(term, CONFIG, LYING, 7).values():
        assert np.mean(said.argmax(axis=1) == LABELS) < 0.2


def test_the_labels_term_never_sees_the_teacher():
    lying, faithful = (train_term("ce", CONFIG, dataset, 7) for dataset in (LYING, FAITHFUL))
    assert list(lying) == [7, 8]
    for seed in (7, 8):
        np.testing.assert_array_equal(lying[seed], faithful[seed])
        assert np.mean(lying[seed].argmax(axis=1) == LABELS) > 0.8


def test_weights_of_the_students_own_loss_do_not_matter():
    other = replace(CONFIG, loss=LossConfig(soft=0.0, hard=7.0))
    one, two = (train_term("js", config, FAITHFUL, 7) for config in (CONFIG, other))
    np.testing.assert_array_equal(one[7], two[7])
