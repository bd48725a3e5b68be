"""The terms of equation 24 against SciPy, closed-form gradients and their limits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.special import log_softmax, softmax
from scipy.stats import entropy

from student_jax.config import LossConfig
from student_jax.training.losses import cross_entropy, distillation_loss, isolate_term, jensen_shannon, kullback_leibler
from teacher_cache.schema import NO_LABEL

TEMPERATURES = [0.5, 1.0, 4.0]


@pytest.fixture
def rows():
    """(scores, teacher logits, labels) of 6 rows and 3 classes."""
    generator = np.random.default_rng(1)
    scores = generator.normal(0, 2, (6, 3)).astype(np.float32)
    return scores, generator.normal(0, 2, (6, 3)).astype(np.float32), np.array([0, 1, 2, 0, 1, 2])


def gradient(config, scores, logits, labels):
    return jax.grad(distillation_loss)(jnp.asarray(scores), jnp.asarray(logits), jnp.asarray(labels), config)


def test_terms_are_scipys(rows):
    scores, logits, labels = rows
    teacher, student = softmax(logits, axis=1), softmax(scores, axis=1)
    np.testing.assert_allclose(kullback_leibler(scores, teacher), entropy(teacher, student, axis=1), rtol=1e-5)
    np.testing.assert_allclose(jensen_shannon(scores, teacher), jensenshannon(teacher, student, axis=1) ** 2, rtol=1e-4)
    expected = -log_softmax(scores, axis=1)[np.arange(6), labels]
    np.testing.assert_allclose(cross_entropy(scores, jnp.asarray(labels)), expected, rtol=1e-5)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_loss_is_equation_24(rows, temperature):
    scores, logits, labels = rows
    teacher, student = softmax(logits / temperature, axis=1), softmax(scores / temperature, axis=1)
    divergences = entropy(teacher, student, axis=1) + jensenshannon(teacher, student, axis=1) ** 2
    hard = -log_softmax(scores, axis=1)[np.arange(6), labels]
    expected = 0.9 * temperature**2 * divergences.mean() + 0.1 * hard.mean()
    got = distillation_loss(scores, logits, jnp.asarray(labels), LossConfig(temperature=temperature))
    assert float(got) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_gradient_of_kl_is_the_closed_form(rows, temperature):
    """By hand: d T^2 KL / d scores = T (softmax(s / T) - f) / rows."""
    scores, logits, labels = rows
    teacher, student = softmax(logits / temperature, axis=1), softmax(scores / temperature, axis=1)
    config = LossConfig(soft=1.0, hard=0.0, js=0.0, temperature=temperature)
    expected = temperature * (student - teacher) / 6
    np.testing.assert_allclose(gradient(config, scores, logits, labels), expected, atol=1e-6)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_gradient_of_js_is_the_closed_form(rows, temperature):
    """By hand: dJS/dq_i = log(q_i / m_i) / 2 =: g_i, so T^2 dJS/ds_k = T q_k (g_k - sum_i q_i g_i) / rows."""
    scores, logits, labels = rows
    teacher, student = softmax(logits / temperature, axis=1), softmax(scores / temperature, axis=1)
    g = np.log(2 * student / (student + teacher)) / 2
    expected = temperature * student * (g - (student * g).sum(axis=1, keepdims=True)) / 6
    config = LossConfig(soft=1.0, hard=0.0, kl=0.0, temperature=temperature)
    np.testing.assert_allclose(gradient(config, scores, logits, labels), expected, atol=1e-6)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_gradient_of_ce_is_the_closed_form_at_any_temperature(rows, temperature):
    """By hand: dCE/ds = (softmax(s) - y) / rows; the temperature is the soft part's alone."""
    scores, logits, labels = rows
    config = LossConfig(soft=0.0, hard=1.0, temperature=temperature)
    expected = (softmax(scores, axis=1) - np.eye(3)[labels]) / 6
    np.testing.assert_allclose(gradient(config, scores, logits, labels), expected, atol=1e-6)


def test_weights_add_up(rows):
    """The whole is its terms, each of them switched on alone."""
    scores, logits, labels = rows
    labels = jnp.asarray(labels)
    whole = distillation_loss(scores, logits, labels, LossConfig(soft=0.7, hard=0.2, kl=2.0, js=3.0))
    terms = [
        LossConfig(soft=0.7, hard=0.0, kl=2.0, js=0.0),
        LossConfig(soft=0.7, hard=0.0, kl=0.0, js=3.0),
        LossConfig(soft=0.0, hard=0.2),
    ]
    parts = [distillation_loss(scores, logits, labels, config) for config in terms]
    assert all(part > 0 for part in parts)
    assert float(whole) == pytest.approx(float(sum(parts)), rel=1e-6)


def test_loss_of_a_student_that_says_what_its_teacher_says_is_zero(rows):
    scores, _, labels = rows
    config = LossConfig(soft=1.0, hard=0.0)
    assert float(distillation_loss(scores, scores + 5.0, jnp.asarray(labels), config)) == pytest.approx(0, abs=1e-6)


def test_js_is_symmetric_and_at_most_log_2(rows):
    scores, logits, _ = rows
    one = jensen_shannon(scores, softmax(logits, axis=1))
    np.testing.assert_allclose(one, jensen_shannon(logits, softmax(scores, axis=1)), atol=1e-6)
    opposite = jensen_shannon(jnp.array([[60.0, -60.0]]), jnp.array([[0.0, 1.0]]))
    assert float(opposite[0]) == pytest.approx(np.log(2), rel=1e-6)


@pytest.mark.parametrize("scores", [[0.0, 0.0], [1000.0, -1000.0], [-1000.0, 1000.0]])
@pytest.mark.parametrize("logits", [[200.0, -200.0], [-200.0, 200.0], [0.0, -np.inf]])
def test_certain_teachers_and_students_stay_finite(scores, logits):
    """A teacher that says 0 or 1 exactly (its softmax underflows), and students that are as sure or opposed."""
    scores, logits = np.array([scores], np.float32), np.array([logits], np.float32)
    assert 0.0 in np.asarray(jax.nn.softmax(logits))
    labels = jnp.array([0])
    loss = distillation_loss(scores, logits, labels, LossConfig())
    assert np.isfinite(loss)
    assert loss >= 0
    assert np.isfinite(gradient(LossConfig(), scores, logits, labels)).all()


@pytest.mark.parametrize("term", ["ce", "kl", "js"])
def test_an_isolated_term_is_that_term_at_full_weight(rows, term):
    """Whatever the weights were: here the hard part's is 0, and KL's is 5."""
    scores, logits, labels = rows
    config = isolate_term(term, LossConfig(soft=0.3, hard=0.0, kl=5.0, temperature=2.0))
    teacher = softmax(logits / 2, axis=1)
    expected = {
        "ce": cross_entropy(scores, jnp.asarray(labels)),
        "kl": 4 * kullback_leibler(scores / 2, teacher),
        "js": 4 * jensen_shannon(scores / 2, teacher),
    }[term]
    got = distillation_loss(scores, logits, jnp.asarray(labels), config)
    assert float(got) == pytest.approx(float(expected.mean()), rel=1e-6)


def test_a_row_without_a_label_has_the_soft_terms_alone_and_counts_in_the_mean(rows):
    """By hand: rows 1 and 4 have no label; all six rows divide both sums."""
    scores, logits, labels = rows
    teacher, known = softmax(logits, axis=1), np.array([True, False, True, True, False, True])
    labels = np.where(known, labels, NO_LABEL).astype(np.int32)
    divergences = entropy(teacher, softmax(scores, axis=1), axis=1)
    hard = -log_softmax(scores, axis=1)[known, labels[known]]
    config = LossConfig(soft=0.7, hard=0.3, js=0.0)
    expected = 0.7 * divergences.sum() / 6 + 0.3 * hard.sum() / 6
    got = distillation_loss(scores, logits, jnp.asarray(labels), config, known)
    assert float(got) == pytest.approx(expected, rel=1e-5)


def test_a_missing_label_is_read_as_no_class(rows):
    """What forgets that there is none gets NaN, not the last class; what knows it, a finite gradient."""
    scores, logits, _ = rows
    labels, known = jnp.full(6, NO_LABEL), jnp.zeros(6, bool)
    assert np.isnan(distillation_loss(scores, logits, labels, LossConfig()))
    gradient = jax.grad(distillation_loss)(jnp.asarray(scores), logits, labels, LossConfig(), known)
    expected = jax.grad(distillation_loss)(jnp.asarray(scores), logits, labels * 0, LossConfig(hard=0.0))
    np.testing.assert_allclose(gradient, expected, atol=1e-7)


def test_of_rows_without_a_label_those_count_whose_teacher_is_sure(rows):
    """By hand: a teacher of two classes that gives 0.6 and 0.9; the labelled row's 0.6 counts whatever it is."""
    scores = rows[0][:3, :2]
    teacher = np.array([[0.6, 0.4], [0.6, 0.4], [0.1, 0.9]], np.float32)
    known = np.array([True, False, False])
    config = LossConfig(soft=1.0, hard=0.0, js=0.0, confidence=0.7)
    divergences = entropy(teacher, softmax(scores, axis=1), axis=1)
    got = distillation_loss(scores, np.log(teacher), jnp.zeros(3, jnp.int32), config, known)
    assert float(got) == pytest.approx((divergences[0] + divergences[2]) / 3, rel=1e-5)


@pytest.mark.parametrize("weights", [{"soft": 0.0, "hard": 0.0}, {"hard": 0.0, "kl": 0.0, "js": 0.0}])
def test_a_loss_without_a_term_is_refused(weights):
    with pytest.raises(ValueError, match="loss must have a term, all its weights are 0"):
        LossConfig(**weights)
