"""Metrics against hand counts, scikit-learn and SciPy."""

import numpy as np
import pytest
import scipy.stats
from sklearn import metrics as reference

from pipeline.evaluation import metrics


@pytest.fixture
def sample():
    """(probabilities, labels, teacher) of 400 rows and 4 classes."""
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet(np.ones(4), 400)
    teacher = generator.dirichlet(np.ones(4), 400)
    return probabilities, generator.integers(0, 4, 400), teacher


def test_scores_are_those_of_scikit_learn(sample):
    probabilities, labels, teacher = sample
    predicted = probabilities.argmax(axis=1)
    got = metrics.score(probabilities, labels, teacher)
    precision, recall, f1, _ = reference.precision_recall_fscore_support(labels, predicted, average="macro")
    assert got["accuracy"] == pytest.approx(reference.accuracy_score(labels, predicted))
    assert (got["precision"], got["recall"], got["f1"]) == pytest.approx((precision, recall, f1))
    assert got["nll"] == pytest.approx(reference.log_loss(labels, probabilities))
    assert got["agreement"] == pytest.approx(reference.accuracy_score(teacher.argmax(axis=1), predicted))
    assert got["kl"] == pytest.approx(scipy.stats.entropy(teacher, probabilities, axis=1).mean())
    np.testing.assert_array_equal(
        metrics.count_confusion(labels, predicted, 4), reference.confusion_matrix(labels, predicted)
    )


def test_without_a_teacher_there_is_no_closeness_to_it(sample):
    probabilities, labels, _ = sample
    assert set(metrics.score(probabilities, labels)) == {"accuracy", "precision", "recall", "f1", "ece", "nll"}


def test_a_class_that_no_row_has_and_nobody_predicts_counts_as_zero():
    """By hand: classes 0 and 1 are perfect, class 2 does not occur, so each mean is 2/3."""
    confusion = metrics.count_confusion(np.array([0, 0, 1]), np.array([0, 0, 1]), 3)
    assert metrics.average_classes(confusion) == pytest.approx((2 / 3, 2 / 3, 2 / 3))


def test_a_class_that_is_never_predicted_has_precision_zero():
    """By hand: all four rows are called 0, half of them rightly: P = (1/2, 0), R = (1, 0), F1 = (2/3, 0)."""
    confusion = metrics.count_confusion(np.array([0, 0, 1, 1]), np.zeros(4, int), 2)
    assert metrics.average_classes(confusion) == pytest.approx((1 / 4, 1 / 2, 1 / 3))


def test_f1_is_the_mean_of_the_classes_f1(sample):
    """Not 2PR/(P+R) of the mean precision and recall, which differs."""
    labels, predicted = np.array([0, 0, 0, 1]), np.array([0, 1, 1, 1])
    f1 = metrics.average_classes(metrics.count_confusion(labels, predicted, 2))[2]
    assert f1 == pytest.approx((1 / 2 + 1 / 2) / 2)


def test_reliability_by_hand():
    """Two bins of confidence: 0.6 and 0.8 lie in different fifths; 1.0 belongs to the last bin, 0.8 to the fourth."""
    probabilities = np.array([[0.55, 0.45], [0.41, 0.59], [0.8, 0.2], [1.0, 0.0]])
    labels = np.array([0, 0, 0, 1])
    table = metrics.tabulate_reliability(probabilities, labels, bins=5)
    assert [row["count"] for row in table] == [2, 1, 1]
    assert [row["accuracy"] for row in table] == pytest.approx([0.5, 1.0, 0.0])
    assert [row["confidence"] for row in table] == pytest.approx([0.57, 0.8, 1.0])
    by_hand = (2 * abs(0.5 - 0.57) + abs(1 - 0.8) + abs(0 - 1)) / 4
    assert metrics.expected_calibration_error(probabilities, labels, bins=5) == pytest.approx(by_hand)


def test_a_model_that_knows_how_often_it_errs_is_calibrated():
    """Confidence 0.75 and right 3 times of 4: ECE 0."""
    probabilities = np.tile([0.75, 0.25], (4, 1))
    assert metrics.expected_calibration_error(probabilities, np.array([0, 0, 0, 1])) == pytest.approx(0)


def test_probability_zero_stays_finite():
    certain = np.array([[1.0, 0.0]])
    assert metrics.negative_log_likelihood(certain, np.array([1])) == pytest.approx(-np.log(1e-12))
    assert metrics.negative_log_likelihood(certain, np.array([0])) == 0
    assert metrics.mean_divergence(certain, certain[:, ::-1]) == pytest.approx(-np.log(1e-12))
    assert metrics.mean_divergence(certain, np.array([[0.5, 0.5]])) == pytest.approx(np.log(2))


def test_divergence_of_a_model_from_itself_is_zero_and_else_positive(sample):
    probabilities, _, teacher = sample
    assert metrics.mean_divergence(teacher, teacher) == pytest.approx(0, abs=1e-12)
    assert metrics.mean_divergence(teacher, probabilities) > 0


def test_interval_is_scipys():
    values = [0.81, 0.83, 0.80, 0.84, 0.82]
    low, high = scipy.stats.t.interval(0.95, 4, np.mean(values), scipy.stats.sem(values))
    assert metrics.estimate_mean(values) == pytest.approx((0.82, low, high))
    assert metrics.estimate_mean([0.5]) == (0.5, 0.5, 0.5)


def test_seeds_are_averaged_metric_by_metric():
    averaged = metrics.average_seeds([{"accuracy": 0.8, "nll": 1.0}, {"accuracy": 0.9, "nll": 2.0}])
    assert averaged["accuracy"] == pytest.approx(0.85)
    assert averaged["nll"] == pytest.approx(1.5)
    # Two seeds and 1 degree of freedom: t = 12.7 would end at 0.21 and 1.49, and no accuracy is above 1.
    assert averaged["accuracy_low"] == pytest.approx(0.85 - 12.7062 * 0.05, abs=1e-4)
    assert averaged["accuracy_high"] == 1.0


def test_mcnemar_by_hand():
    """Six rows that one alone has right, one that the other alone has: 2 (C(7,0) + C(7,1)) / 2^7 = 0.125."""
    labels = np.zeros(12, int)
    first = np.array([0] * 6 + [1] + [0] * 3 + [1] * 2)
    second = np.array([1] * 6 + [0] + [0] * 3 + [1] * 2)
    assert metrics.compare_answers(labels, first, second) == (6, 1, pytest.approx(0.125))
    assert metrics.compare_answers(labels, second, first) == (1, 6, pytest.approx(0.125))


def test_mcnemar_sees_classes_and_not_only_two_of_them():
    """Both wrong, though with different classes, is no discordance."""
    assert metrics.compare_answers(np.array([0, 2]), np.array([1, 2]), np.array([2, 1])) == (1, 0, 1.0)


def test_models_that_are_right_on_the_same_rows_do_not_differ():
    labels = np.array([0, 1, 1])
    assert metrics.compare_answers(labels, labels, labels) == (0, 0, 1.0)


def test_the_bootstrap_of_a_difference_is_that_of_its_rows():
    """Against rows drawn one by one, each +1, -1 or 0: 30, 10 and 60 of 100."""
    rows = np.repeat([1, -1, 0], [30, 10, 60])
    drawn = np.random.default_rng(1).choice(rows, (20_000, 100)).mean(axis=1)
    got = metrics.bootstrap_difference(metrics.Discordance(30, 10, 0.0), 100)
    assert got.mean == pytest.approx(0.2)
    assert got[1:] == pytest.approx(np.percentile(drawn, (2.5, 97.5)), abs=0.011)
    assert metrics.bootstrap_difference(metrics.Discordance(0, 0, 1.0), 7) == (0, 0, 0)


def test_holm_by_hand():
    """0.01 x 4, 0.02 x 3, then 0.03 x 2 and 0.04 x 1, which may not fall below 0.06; at most 1."""
    assert metrics.adjust_p_values([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert metrics.adjust_p_values([0.9, 0.8]) == [1.0, 1.0]
    assert metrics.adjust_p_values([]) == []
