"""The grid's settings are what they are alone, and validation chooses among them."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from student_jax.config import CircuitConfig, LossConfig, StudentConfig
from student_jax.data.dataset import Split
from student_jax.model import build_model
from student_jax.training.trainer import train
from student_jax.training.tuning import choose_setting, tune
from student_jax.tunable import Setting
from teacher_cache.errors import UserError

PLAIN = StudentConfig(
    circuit=CircuitConfig(qubits=2, layers=1), epochs=2, batch_size=8, seeds=2, learning_rate=0.02, encoding_scale=0.3
)


def build(config):
    return build_model(config, 5, 2)


@pytest.fixture(scope="module")
def dataset():
    generator = np.random.default_rng(0)

    def make_split(rows):
        features = generator.normal(size=(rows, 5)).astype(np.float32)
        score = 2 * features[:, :1]
        return Split(features, np.hstack([score, -score]), (score[:, 0] < 0).astype(np.int32))

    return {"train": make_split(42), "validation": make_split(40)}


def test_one_setting_is_plain_training_to_the_bit(dataset):
    """With a grid of one value as without any, and what is kept has no grid."""
    alone = train(build(PLAIN), dataset, PLAIN, 7, "test")
    for grid in ({}, {"learning_rate": [0.02]}):
        config, training, tuning = tune(replace(PLAIN, grid=grid), build, dataset, 7, "test")
        assert config == PLAIN
        assert config.grid == {}
        assert training.curves == alone.curves
        np.testing.assert_array_equal(training.parameters.encoding.weight, alone.parameters.encoding.weight)
        assert len(tuning.settings) == 1
        assert [one.values for one in tuning.settings] == [{key: values[0] for key, values in grid.items()}]


def test_the_smallest_mean_calibrated_loss_is_chosen(dataset):
    """By training each setting alone; one of them diverges, and two programs are needed."""
    grid = {"learning_rate": [0.02, 0.3, 1e38], "circuit": {"layers": [1, 2]}}
    config, training, tuning = tune(replace(PLAIN, grid=grid), build, dataset, 7, "test")
    assert [one.values for one in tuning.settings] == [
        {"learning_rate": rate, "circuit.layers": layers} for rate in (0.02, 0.3, 1e38) for layers in (1, 2)
    ]
    for one in (tuning.settings[0], tuning.settings[3]):
        setting = replace(
            PLAIN,
            learning_rate=one.values["learning_rate"],
            circuit=CircuitConfig(qubits=2, layers=one.values["circuit.layers"]),
        )
        alone = train(build(setting), dataset, setting, 7, "test")
        best, rows = alone.best_results(), dataset["validation"]
        # Equation 24 with soft 0.9, hard 0.1, KL and JS: 1.8 parts of the teacher, 0.1 of the label.
        targets = (1.8 * softmax(rows.logits, axis=1) + 0.1 * np.eye(2)[rows.labels]) / 1.9
        left = [
            min(-(targets * log_softmax(scores / t, axis=1)).sum(axis=1).mean() for t in np.geomspace(0.01, 100, 2000))
            for scores in alone.score(alone.parameters, rows.features).astype(float)
        ]
        assert one.calibrated_loss == pytest.approx(np.mean(left), abs=1e-4)
        assert one.validation_loss == pytest.approx(np.mean([row.validation_loss for row in best]), abs=1e-5)
        assert one.validation_accuracy == pytest.approx(np.mean([row.validation_accuracy for row in best]), abs=0.03)
    assert [one.validation_loss for one in tuning.settings[4:]] == [None, None]
    assert tuning.chosen == int(np.argmin([one.calibrated_loss for one in tuning.settings[:4]]))
    assert config.learning_rate == tuning.settings[tuning.chosen].values["learning_rate"]
    assert config.circuit.layers == tuning.settings[tuning.chosen].values["circuit.layers"]
    assert training.seeds == [7, 8]


def test_nothing_to_choose_from_is_one_line(dataset):
    config = replace(PLAIN, learning_rate=1e38, weight_decay=1e38)
    with pytest.raises(
        UserError, match=r"^test: validation loss must be finite, got nan in epoch 1; lower learning_rate"
    ):
        tune(config, build, dataset, 7, "test")


def test_a_setting_that_is_left_out_is_named(dataset, caplog):
    grid = {name: [getattr(PLAIN, name), 1e38] for name in ("learning_rate", "weight_decay")}
    _, _, tuning = tune(replace(PLAIN, grid=grid), build, dataset, 7, "test")
    lost = [one.values for one in tuning.settings if one.validation_loss is None]
    assert lost
    for values in lost:
        assert f"test: setting {values} is left out: validation loss must be finite" in caplog.text


def test_of_equals_the_first_is_chosen():
    settings = [
        Setting(values={}, validation_loss=1 - loss, validation_accuracy=0.5, calibrated_loss=loss)
        for loss in (0.7, 0.5, 0.5)
    ]
    lost = Setting(values={}, validation_loss=None, validation_accuracy=None)
    assert choose_setting([lost, *settings]).chosen == 2


def test_a_loss_that_is_large_for_small_scores_alone_passes_no_setting_over():
    """Penalised by 0.3 the scores part the classes as well, and are smaller: the raw loss takes the other for that."""
    generator = np.random.default_rng(3)

    def make_split(rows):
        features = generator.normal(size=(rows, 40)).astype(np.float32)
        labels = (features[:, 0] + generator.normal(size=rows) / 2 > 0).astype(np.int32)
        return Split(features, np.zeros((rows, 2), np.float32), labels)

    dataset = {"train": make_split(96), "validation": make_split(400)}
    few = replace(PLAIN, loss=LossConfig(soft=0.0, hard=1.0), epochs=60, l2=0.2, l2_readout=True, encoding_scale=0.03)
    _, _, tuning = tune(replace(few, grid={"l2": [0.2, 0.3]}), lambda one: build_model(one, 40, 2), dataset, 7, "test")
    weak, strong = tuning.settings
    assert weak.validation_loss < strong.validation_loss
    assert weak.calibrated_loss > strong.calibrated_loss
    assert tuning.chosen == 1
