"""Students of labels alone are the same whichever teacher's stage has trained them, and are trained once."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from student_jax.comparators.comparator_config import FeatureConfig
from student_jax.comparators.feature_comparators import learn_from_features
from student_jax.comparators.kept_learned import learn_once
from student_jax.config import CircuitConfig
from student_jax.data.dataset import Split

CIRCUIT = CircuitConfig(qubits=3, layers=1)
CONFIG = FeatureConfig(epochs=3, batch_size=8, seeds=2, learning_rate=0.1, grid={"learning_rate": [0.03, 0.1]})
LABELS = np.arange(32, dtype=np.int32) % 2


def make_dataset(teacher, labels=LABELS):
    features = np.random.default_rng(0).normal(size=(32, 4)).astype(np.float32)
    logits = np.random.default_rng(teacher).normal(size=(32, 2)).astype(np.float32)
    return dict.fromkeys(("train", "validation", "test"), Split(features, logits, labels))


@pytest.fixture
def learn(tmp_path, caplog):
    """Learn in one folder; says whether something was trained for it."""

    def learn(config=CONFIG, teacher=1, labels=LABELS, seed=7):
        caplog.clear()
        with caplog.at_level("INFO"):
            dataset = make_dataset(teacher, labels)
            found = learn_once(tmp_path / "learned", "labels_alone", config, CIRCUIT, dataset, seed, "x")
        return found, "settings done" in caplog.text

    return learn


def test_another_teachers_students_are_taken_as_they_would_be_trained(learn):
    dataset = make_dataset(2)
    _, trained = learn()
    found, again = learn(teacher=2)
    assert (trained, again) == (True, False)
    fresh = learn_from_features("labels_alone", CONFIG, CIRCUIT, dataset, 7, "x")
    jax.tree.map(np.testing.assert_array_equal, found.training.parameters, fresh.training.parameters)
    assert found.training[1:5] == fresh.training[1:5]
    assert found._replace(training=None) == fresh._replace(training=None)
    scores = [one.training.score(one.training.parameters, dataset["test"].features) for one in (found, fresh)]
    np.testing.assert_array_equal(*scores)


def test_whatever_a_student_is_made_from_makes_another(learn):
    learn()
    for change in ({"seed": 8}, {"labels": 1 - LABELS}, {"config": replace(CONFIG, l2=0.5)}):
        assert learn(**change)[1]


def test_a_damaged_file_is_made_anew(learn, tmp_path, caplog):
    learn()
    (file,) = (tmp_path / "learned").iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    assert learn()[1]
    assert "cannot be read, and is made anew" in caplog.text
    assert not learn()[1]
