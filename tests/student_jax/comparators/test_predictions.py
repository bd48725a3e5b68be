"""What is trained beside the student."""

from dataclasses import replace

import numpy as np

from student_jax.comparators.predictions import train_terms
from student_jax.config import CircuitConfig, LossConfig, StudentConfig
from student_jax.data.dataset import Split

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


def test_the_teachers_terms_learn_what_the_teacher_says_and_the_labels_term_the_labels():
    """The teacher always names the other class; the three are trained together."""
    found = train_terms(["kl", "js", "ce"], CONFIG, LYING, 7)
    assert {term: list(answers) for term, answers in found.items()} == {term: [7, 8] for term in ("kl", "js", "ce")}
    for seed in (7, 8):
        right = {term: np.mean(answers[seed].argmax(axis=1) == LABELS) for term, answers in found.items()}
        assert right["kl"] < 0.2
        assert right["js"] < 0.2
        assert right["ce"] > 0.8


def test_the_labels_term_never_sees_the_teacher():
    lying, faithful = (train_terms(["ce"], CONFIG, dataset, 7)["ce"] for dataset in (LYING, FAITHFUL))
    for seed in (7, 8):
        np.testing.assert_array_equal(lying[seed], faithful[seed])


def test_a_terms_result_depends_neither_on_the_students_own_weights_nor_on_its_company():
    other = replace(CONFIG, loss=LossConfig(soft=0.0, hard=7.0))
    alone = train_terms(["js"], other, FAITHFUL, 7)["js"]
    together = train_terms(["ce", "js"], CONFIG, FAITHFUL, 7)["js"]
    np.testing.assert_allclose(alone[7], together[7], atol=1e-5)


def test_no_terms_train_nothing():
    assert train_terms([], CONFIG, FAITHFUL, 7) == {}
