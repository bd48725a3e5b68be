"""What reads features: logistic regression, and the student with one term of its loss."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from student_jax.comparators.all_labels import reveal_labels
from student_jax.comparators.comparator_config import FEATURE_CONFIGS, DistilledConfig, FeatureConfig, LogisticConfig
from student_jax.comparators.feature_comparators import learn_from_features
from student_jax.config import CircuitConfig, LossConfig
from student_jax.data.dataset import Split
from student_jax.data.training_rows import select_rows
from student_jax.model import build_model
from student_jax.training.trainer import train
from teacher_cache.errors import UserError
from teacher_cache.schema import NO_LABEL

LABELS = np.arange(32) % 2
CIRCUIT = CircuitConfig(qubits=3, layers=1)
CONFIG = FeatureConfig(epochs=12, batch_size=8, seeds=2, learning_rate=0.1, schedule="constant")


def make_dataset(logits):
    """Two classes that the first feature tells apart; a teacher of our choice."""
    features = np.random.default_rng(0).normal(size=(32, 4)).astype(np.float32)
    features[:, 0] = np.where(LABELS == 1, 2, -2)
    return dict.fromkeys(("train", "validation", "test"), Split(features, logits.astype(np.float32), LABELS))


LYING = make_dataset(np.where(LABELS[:, None] == [1, 0], 3.0, -3.0))
FAITHFUL = make_dataset(np.where(LABELS[:, None] == [0, 1], 3.0, -3.0))


def score_test(learned, dataset):
    return learned.training.score(learned.training.parameters, dataset["test"].features)


def learn(name, config, dataset):
    return learn_from_features(name, config, CIRCUIT, dataset, 7, "test")


@pytest.mark.parametrize(("term", "follows_teacher"), [("kl", True), ("js", True), ("labels_alone", False)])
def test_the_teachers_terms_learn_what_the_teacher_says_and_the_labels_term_the_labels(term, follows_teacher):
    """The teacher always names the other class."""
    right = np.mean(score_test(learn(term, CONFIG, LYING), LYING).argmax(axis=-1) == LABELS, axis=1)
    assert (right < 0.2).all() if follows_teacher else (right > 0.8).all()


def test_the_labels_term_never_sees_the_teacher():
    lying, faithful = (score_test(learn("labels_alone", CONFIG, dataset), dataset) for dataset in (LYING, FAITHFUL))
    np.testing.assert_array_equal(lying, faithful)


def test_a_terms_result_does_not_depend_on_the_weights_in_params():
    other = replace(CONFIG, loss=LossConfig(soft=0.0, hard=7.0))
    one, two = (score_test(learn("js", config, FAITHFUL), FAITHFUL) for config in (CONFIG, other))
    np.testing.assert_array_equal(one, two)


def test_a_circuits_comparator_is_the_students_circuit_with_its_own_numbers():
    """The student with the same numbers, its angles frozen: what starts from the same seed starts the same."""
    learned = learn("frozen_circuit", CONFIG, FAITHFUL)
    model = build_model(CONFIG.to_student(CIRCUIT), 4, 2)
    frozen = model._replace(rates=dict.fromkeys(("angles.ry", "angles.rzz", "angles.rz"), 0.0))
    assert learned.training.curves == train(frozen, FAITHFUL, CONFIG, 7, "test").curves


@pytest.mark.parametrize("classes", [2, 3])
def test_logistic_regression_is_scikit_learns_and_the_best_on_validation(classes):
    generator = np.random.default_rng(1)

    def make_split(rows):
        features = generator.normal(size=(rows, 5)).astype(np.float32)
        labels = (features[:, :classes] + generator.normal(size=(rows, classes))).argmax(axis=1).astype(np.int32)
        return Split(features, np.zeros((rows, classes), np.float32), labels)

    dataset = {"train": make_split(120), "validation": make_split(60), "test": make_split(60)}
    values = [1e-3, 1.0, 1e3]
    learned = learn("logistic", LogisticConfig(grid={"C": values}), dataset)
    train_split, validation, test = (dataset[name] for name in ("train", "validation", "test"))
    fits = [LogisticRegression(C=C, max_iter=1000).fit(train_split.features, train_split.labels) for C in values]
    losses = [log_loss(validation.labels, fit.predict_proba(validation.features)) for fit in fits]
    assert [one.validation_loss for one in learned.tuning.settings] == pytest.approx(losses, abs=1e-4)
    left = []
    for fit in fits:
        scores = np.log(fit.predict_proba(validation.features)) / np.geomspace(0.01, 100, 2000)[:, None, None]
        true = log_softmax(scores, axis=2)[:, np.arange(60), validation.labels]
        left.append(-true.mean(axis=1).max())
    assert [one.calibrated_loss for one in learned.tuning.settings] == pytest.approx(left, abs=1e-4)
    assert learned.tuning.chosen == int(np.argmin(left))
    assert learned.config == LogisticConfig(C=values[learned.tuning.chosen])
    scores = score_test(learned, dataset)
    assert scores.shape == (1, 60, classes)
    expected = fits[learned.tuning.chosen].predict(test.features)
    np.testing.assert_array_equal(scores[0].argmax(axis=1), expected)
    assert learned.trainable == learned.inference == 6 * (1 if classes == 2 else 3)


def test_every_comparator_of_features_runs_on_the_same_data():
    for name, kind in FEATURE_CONFIGS.items():
        config = kind() if issubclass(kind, LogisticConfig) else replace(CONFIG, epochs=1)
        learned = learn(name, config, FAITHFUL)
        assert np.isfinite(score_test(learned, FAITHFUL)).all()
        assert learned.training.seeds[0] == 7


@pytest.fixture
def pooled():
    """Four labelled texts and a pool of twelve; the teacher names the other class everywhere."""
    rows, ids = LYING["train"], np.arange(32, dtype=">u8").repeat(2).view("V16")

    def cut(chosen, labels):
        return Split(rows.features[chosen], rows.logits[chosen], labels, ids[chosen])

    pool = cut(slice(4, 16), np.full(12, NO_LABEL, np.int32))
    return {**LYING, "train": cut(slice(4), LABELS[:4].astype(np.int32)), "pool": pool}


def hide(path, pool, labels):
    ids = pa.array([one.tobytes() for one in pool.ids], pa.binary(16))
    pq.write_table(pa.table({"example_id": ids, "label": pa.array(labels, pa.int32())}), path)


def test_labels_alone_sees_no_pool_and_all_labels_what_was_hidden(pooled, tmp_path):
    """Hidden labels that are scrambled change the one comparator that they are for, and no other."""
    without = {name: rows for name, rows in pooled.items() if name != "pool"}
    assert (
        learn("labels_alone", CONFIG, pooled).training.curves == learn("labels_alone", CONFIG, without).training.curves
    )
    found = {}
    for name, labels in (("true", LABELS[4:16]), ("false", 1 - LABELS[4:16])):
        hide(tmp_path / name, pooled["pool"], labels)
        revealed = reveal_labels(pooled, tmp_path / name, "news")
        scores = score_test(learn("all_labels", CONFIG, revealed), pooled)
        found[name] = np.mean(scores.argmax(axis=-1) == LABELS)
    assert found["true"] > 0.9 > 0.6 > found["false"]


def test_the_pools_texts_whose_label_nobody_knows_are_left_out(pooled, tmp_path):
    """By id, whatever the order of the file, which may name texts that have no answer."""
    pool = pooled["pool"]
    strange = np.array([b"x" * 16]).view("V16")
    named = np.concatenate([pool.ids[[7, 2, 5]], strange])
    hide(tmp_path / "hidden", pool._replace(ids=named), [1, 0, 1, 1])
    revealed = reveal_labels(pooled, tmp_path / "hidden", "news")["pool"]
    assert revealed.ids.tolist() == pool.ids[[2, 5, 7]].tolist()
    assert revealed.labels.tolist() == [0, 1, 1]
    np.testing.assert_array_equal(revealed.features, pool.features[[2, 5, 7]])


def test_all_labels_needs_labels_where_there_is_a_pool(pooled, tmp_path):
    with pytest.raises(UserError, match=r"comparators must leave out all_labels where nobody knows .* got news; they"):
        reveal_labels(pooled, tmp_path / "none", "news")
    assert reveal_labels(LYING, tmp_path / "none", "news") == LYING


@pytest.mark.parametrize("pool", [False, True])
def test_distilled_logistic_regression_is_that_of_soft_labels(pool):
    """Against SciPy, minimising the penalised cross entropy of the mixed targets as it is written down."""
    random, classes = np.random.default_rng(2), 3

    def make_split(rows, labelled=True):
        features = random.normal(size=(rows, 4)).astype(np.float32)
        logits = (features[:, :classes] + random.normal(size=(rows, classes))).astype(np.float32)
        labels = logits.argmax(axis=1).astype(np.int32)
        return Split(features, logits, labels if labelled else np.full(rows, NO_LABEL, np.int32))

    dataset = {name: make_split(40) for name in ("train", "validation", "test")}
    targets = 0.3 * softmax(dataset["train"].logits, axis=1) + 0.7 * np.eye(classes)[dataset["train"].labels]
    features = dataset["train"].features
    if pool:
        dataset["pool"] = make_split(30, labelled=False)
        targets = np.concatenate([targets, softmax(dataset["pool"].logits, axis=1)])
        features = np.concatenate([features, dataset["pool"].features])

    def measure(flat):
        weight, bias = flat[:12].reshape(4, classes), flat[12:]
        return 0.5 * (weight**2).sum() / 2 - (targets * log_softmax(features @ weight + bias, axis=1)).sum()

    best = minimize(measure, np.zeros(15)).x
    expected = log_softmax(dataset["test"].features @ best[:12].reshape(4, classes) + best[12:], axis=1)
    learned = learn("logistic_distilled", DistilledConfig(C=2.0, soft=0.3), dataset)
    np.testing.assert_allclose(log_softmax(score_test(learned, dataset)[0], axis=1), expected, atol=2e-3)


def test_distilled_logistic_regression_takes_the_sure_answers_of_the_pool(pooled):
    pool = pooled["pool"]
    sure = np.arange(12) < 5
    mixed = {**pooled, "pool": pool._replace(logits=np.where(sure[:, None], pool.logits, pool.logits / 30))}
    cut = {**pooled, "pool": select_rows(pool, sure)}
    demanding, all_of_few = (
        score_test(learn("logistic_distilled", DistilledConfig(confidence=confidence), dataset), dataset)
        for confidence, dataset in ((0.9, mixed), (0.0, cut))
    )
    np.testing.assert_array_equal(demanding, all_of_few)
