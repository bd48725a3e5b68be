import numpy as np
import pytest

from pipeline.corpus.generated.ngram import END, NgramModel

SENTENCES = [["the", "cat", "sat"], ["the", "dog", "sat"], ["the", "cat", "ran"]]


@pytest.fixture
def model():
    return NgramModel(SENTENCES, (0.1, 0.3, 0.6))


def test_the_interpolation_by_hand(model):
    """After `the cat`, END is left out of the unigrams (3 of 12 words) and the rest divided by what remains."""
    mass = dict(zip(model.words, model.distribution(["the", "cat"]), strict=True))
    assert mass["sat"] == pytest.approx((0.1 * 2 / 12 + 0.3 * 1 / 2 + 0.6 * 1 / 2) / (1 - 0.1 * 3 / 12))
    assert mass["the"] == pytest.approx((0.1 * 3 / 12) / (1 - 0.1 * 3 / 12))
    assert mass[END] == 0.0


@pytest.mark.parametrize("history", [[], ["the"], ["the", "dog"], ["sat"], ["ran", "the"], ["unseen"], ["x", "y"]])
def test_every_distribution_sums_to_one(model, history):
    mass = model.distribution(history)
    assert mass.sum() == pytest.approx(1.0)
    assert np.all(mass >= 0)


def test_the_first_word_is_that_of_a_sentence(model):
    assert model.words[int(np.argmax(model.distribution([])))] == "the"


def test_a_sentence_may_end_where_one_was_seen_to(model):
    assert model.may_end(["a", "b", "cat", "sat"])
    assert not model.may_end(["the", "cat"])
    assert not model.may_end(["never", "seen"])
    assert not model.may_end([])
