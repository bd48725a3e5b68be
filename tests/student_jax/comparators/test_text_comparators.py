"""Each comparator of texts: its loss against plain NumPy, and that it learns what its teacher knows."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from scipy.special import log_softmax, softmax

from student_jax.comparators.comparator_config import TEXT_CONFIGS, FewLabelsConfig, TextConfig
from student_jax.comparators.distilbert import measure_turn
from student_jax.comparators.few_labels import hide_labels, semi_supervised_loss
from student_jax.comparators.minillm import reverse_divergence
from student_jax.comparators.network import count_inference
from student_jax.comparators.pkd import measure_patience
from student_jax.comparators.quantum_convolution import fit_vectors
from student_jax.comparators.text_comparators import TEXT_COMPARATORS, learn_from_texts
from student_jax.comparators.textrcnn import TextRcnn
from student_jax.comparators.tinybert import measure_distance
from student_jax.config import LossConfig
from student_jax.data.dataset import Split
from student_jax.model import count_trainable, name_arrays
from student_jax.training.epoch import measure_loss
from student_jax.training.optimizer import gather_numbers
from teacher_cache.schema import NO_LABEL
from tests.student_jax.comparators.conftest import LENGTH, VOCABULARY, make_tokens

RANDOM = np.random.default_rng(3)
SCORES, LOGITS = RANDOM.normal(size=(2, 6, 3)).astype(np.float32) * 2
OURS, THEIRS = RANDOM.normal(size=(2, 6, 2, 5)).astype(np.float32)


def test_reverse_divergence_by_hand():
    q, f = softmax(SCORES, axis=1), softmax(LOGITS, axis=1)
    found = reverse_divergence(jnp.asarray(SCORES), jnp.asarray(LOGITS))
    np.testing.assert_allclose(found, (q * np.log(q / f)).sum(axis=1), rtol=1e-4)
    far = jnp.array([[200.0, 0.0]], jnp.float32)
    assert np.isfinite(jax.grad(lambda scores: reverse_divergence(scores, far).sum())(-far)).all()


def test_distances_of_states_by_hand():
    """Layers add up; rows are averaged; TinyBERT's coordinates, too."""
    ours, theirs = jnp.asarray(OURS), jnp.asarray(THEIRS)
    expected = sum(((OURS[:, k] - THEIRS[:, k]) ** 2).mean() for k in range(2))
    assert float(measure_distance(ours, theirs)) == pytest.approx(expected, rel=1e-5)
    unit = [states / np.linalg.norm(states, axis=2, keepdims=True) for states in (OURS, THEIRS)]
    expected = ((unit[0] - unit[1]) ** 2).sum(axis=(1, 2)).mean()
    assert float(measure_patience(ours, theirs)) == pytest.approx(expected, rel=1e-5)
    cosines = (unit[0] * unit[1]).sum(axis=2)[:, 1]
    assert float(measure_turn(ours[:, 1], theirs[:, 1])) == pytest.approx((1 - cosines).mean(), rel=1e-5)
    assert float(measure_turn(ours[:, 0], 3 * ours[:, 0])) == pytest.approx(0, abs=1e-6)
    zeros = jnp.zeros((2, 1, 3))
    assert np.isfinite(jax.grad(lambda states: measure_patience(states, zeros + 1))(zeros)).all()


def test_the_loss_of_few_labels_by_hand():
    """Row 0 and 1 have labels; of the others the teacher is sure of 2 and 4; all six rows divide."""
    logits = np.array([[0, 0, 0], [9, 0, 0], [3, 0, 0], [0.5, 0, 0], [0, 4, 0], [0, 0, 1]], np.float32)
    labels = np.array([1, 2, NO_LABEL, NO_LABEL, NO_LABEL, NO_LABEL], np.int32)
    config = FewLabelsConfig(confidence=0.8, loss=LossConfig(soft=0.7, hard=0.3, js=0.0))
    q, f = log_softmax(SCORES, axis=1), softmax(logits, axis=1)
    divergence = (f * (np.log(f) - q)).sum(axis=1)
    expected = (0.3 * (-q[0, 1] - q[1, 2]) + 0.7 * (divergence[2] + divergence[4])) / 6
    found = semi_supervised_loss(*map(jnp.asarray, (SCORES, logits, labels)), config)
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_few_labels_say_once_how_sure_a_teacher_must_be():
    with pytest.raises(ValueError, match=r"loss\.confidence must be 0 in few_labels, whose own confidence"):
        FewLabelsConfig(loss=LossConfig(confidence=0.5))
    with pytest.raises(ValueError, match="grid"):  # what every comparator's grid must hold is asked as before
        FewLabelsConfig(grid={"labelled": [7]})


def test_few_labels_are_few_of_each_class(dataset):
    hidden = hide_labels(dataset, 10)
    seen = hidden["train"].labels
    assert [(seen == label).sum() for label in (0, 1)] == [10, 10]
    kept = seen != NO_LABEL
    np.testing.assert_array_equal(seen[kept], dataset["train"].labels[kept])
    assert hidden["validation"] is dataset["validation"]


def test_textrcnn_by_hand():
    """Word by word, as equations 1 to 4 of its paper; the padding is not there."""
    network = TextRcnn(VOCABULARY, 4, 6, nnx.Rngs(0))
    network.first[...], network.last[...] = jnp.arange(4.0) / 4, -jnp.arange(4.0) / 4
    tokens, _ = make_tokens(3, 1)
    found = nnx.jit(TextRcnn.__call__)(network, jnp.asarray(tokens))
    weights = {name: np.asarray(array) for name, array in name_arrays(nnx.to_pure_dict(nnx.state(network))).items()}
    for row, own in zip(found, tokens, strict=True):
        words = weights["word.embedding"][own[own != 0]]
        left, right = [weights["first"]], [weights["last"]]
        for word in words[:-1]:
            left.append(np.tanh(left[-1] @ weights["left.kernel"] + word @ weights["left_word.kernel"]))
        for word in words[:0:-1]:
            right.append(np.tanh(right[-1] @ weights["right.kernel"] + word @ weights["right_word.kernel"]))
        both = np.concatenate([left, words, right[::-1]], axis=1)
        units = np.tanh(both @ weights["hidden.kernel"] + weights["hidden.bias"])
        np.testing.assert_allclose(row, units.max(axis=0), atol=1e-5)


def test_token_vectors_are_frozen_singular_vectors():
    """Tokens that share texts point the same way; padding has no vector."""
    tokens = np.array([[1, 2, 0], [1, 2, 0], [3, 4, 0], [3, 4, 0], [3, 4, 4]], np.int32)
    vectors = fit_vectors(tokens, 6, 2)
    cosine = np.corrcoef(vectors[[1, 2, 3, 4]])
    assert cosine[0, 1] > 0.99 > cosine[0, 2]
    assert vectors.shape == (6, 2)
    assert not vectors[0].any()


@pytest.mark.parametrize("name", TEXT_CONFIGS)
def test_a_comparator_of_texts_learns_what_its_teacher_knows(name, dataset, facts):
    """Chance is 0.5."""
    if not TEXT_COMPARATORS[name].states:
        facts = facts._replace(layers=(), width=0)
        dataset = {split: rows._replace(hidden=None) for split, rows in dataset.items()}
    pace = (
        {"learning_rate": 1e-2, "epochs": 12} if name == "quantum_convolution" else {"learning_rate": 5e-3, "epochs": 6}
    )
    config = TEXT_CONFIGS[name](**pace, seeds=1, max_length=LENGTH, vocabulary=100)
    learned = learn_from_texts(name, config, facts, None, dataset, 0, "test")
    test, training = dataset["test"], learned.training
    scores = training.score(training.parameters, test.features)[0]
    assert np.mean(scores.argmax(axis=1) == test.labels) >= 0.8
    losses = [row.train_loss for row in training.curves]
    assert losses[-1] < losses[0]
    assert learned.config == config
    assert len(learned.tuning.settings) == 1


@pytest.mark.parametrize("name", ["textrcnn", "minillm", "tinybert", "few_labels"])
def test_texts_of_a_pool_have_their_teachers_terms_alone(name, dataset, facts):
    """In the shared loss, in one of its own, and beside states.

    A label that they do not have changes nothing; another answer of their teacher does, as do labels.
    """
    states = TEXT_COMPARATORS[name].states
    facts, train = facts if states else facts._replace(layers=(), width=0), dataset["train"]
    config = TEXT_CONFIGS[name](max_length=LENGTH, loss=LossConfig(soft=0.5, hard=0.5))
    model = TEXT_COMPARATORS[name].build(config, facts, None)
    parameters, known = model.initialise(np.random.default_rng(0)), np.arange(12) < 4

    def measure(labels, logits):
        hidden = train.hidden[:12].astype(np.float32) if states else None
        batch = Split(train.features[:12], logits, labels.astype(np.int32), None, hidden, known)
        return float(loss(parameters, jax.tree.map(jnp.asarray, batch), gather_numbers(config)))

    loss = jax.jit(partial(measure_loss, model))
    logits, labels = train.logits[:12], np.where(known, train.labels[:12], NO_LABEL)
    found = measure(labels, logits)
    assert np.isfinite(found)
    if name != "few_labels":  # which hides labels itself, and knows them by NO_LABEL
        assert measure(np.where(known, labels, 1), logits) == found
    assert measure(labels, np.where(known[:, None], logits, -logits)) != found
    assert measure(np.where(known, 1 - labels, labels), logits) != found


def test_a_comparator_of_texts_is_tuned(dataset, facts):
    facts = facts._replace(layers=(), width=0)
    dataset = {split: rows._replace(hidden=None) for split, rows in dataset.items()}
    config = TextConfig(learning_rate=1e-7, epochs=2, seeds=1, grid={"learning_rate": [1e-7, 1e-2]})
    learned = learn_from_texts("textrcnn", config, facts, None, dataset, 0, "test")
    assert learned.config.learning_rate == 1e-2
    assert learned.tuning.chosen == 1
    assert learned.inference == learned.trainable > 1000


def test_the_quantum_convolution_trains_neither_its_words_nor_its_circuit(dataset, facts):
    config = TEXT_CONFIGS["quantum_convolution"](epochs=1, seeds=2, learning_rate=0.1, qubits=4)
    facts = facts._replace(layers=(), width=0)
    dataset = {split: rows._replace(hidden=None) for split, rows in dataset.items()}
    learned = learn_from_texts("quantum_convolution", config, facts, None, dataset, 0, "")
    model = TEXT_COMPARATORS["quantum_convolution"].build(config, facts, None)
    for index in range(2):
        start = name_arrays(model.initialise(np.random.default_rng(index)))
        found = {name: array[index] for name, array in name_arrays(learned.training.parameters).items()}
        moved = {name for name in start if np.abs(found[name] - start[name]).max() > 1e-6}
        assert moved == {"encoding.kernel", "encoding.bias", "classifier.kernel", "classifier.bias"}
    width = start["word.embedding"].shape[1]
    assert learned.trainable == 3 * width * 4 + 4 + 4 * 2 + 2
    # One layer: three RY and three RZ a qubit, RZZ on three pairs.
    assert learned.inference - learned.trainable == VOCABULARY * width + 3 * 4 + 3 + 3 * 4


def test_projections_are_no_part_of_what_classifies(facts):
    model = TEXT_COMPARATORS["pkd"].build(TEXT_CONFIGS["pkd"](), facts, None)
    parameters = model.initialise(np.random.default_rng(0))
    assert count_trainable(model) - count_inference(parameters) == 64 * 3


def test_the_same_seed_draws_the_same_network(facts):
    build = TEXT_COMPARATORS["minillm"].build
    one, two = (build(TEXT_CONFIGS["minillm"](), facts, None).initialise(np.random.default_rng(5)) for _ in range(2))
    jax.tree.map(np.testing.assert_array_equal, one, two)


def test_a_batch_without_teachers_states_is_a_fault_of_ours(facts):
    model = TEXT_COMPARATORS["tinybert"].build(TEXT_CONFIGS["tinybert"](), facts._replace(width=0), None)
    parameters = model.initialise(np.random.default_rng(0))
    with pytest.raises(ValueError, match="states must be compared with a teacher's"):
        model.loss(parameters, Split(jnp.asarray(make_tokens(2, 0)[0]), np.zeros((2, 2)), np.zeros(2, int)))
