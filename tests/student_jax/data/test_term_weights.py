"""TF-IDF of our own against scikit-learn's, for scripts with spaces and without."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from student_jax.data import term_weights
from student_jax.data.hashed_terms import hash_term
from student_jax.data.term_weights import CHARACTERS, TermWeigher, Vocabulary, choose_pattern

ENGLISH = [
    "a good film, a good one!",
    "don't see this -- bad film",
    "it's \u00fcber-good \U0001f389\U0001f389",
    "a song",
]
GREEK = ["ΟΔΟΣ σας, οδός", "İstanbul'da \u00e9t\u00e9 e\u0301te\u0301", "\u0928\u092e\u0938\u094d\u0924\u0947 दुनिया"]
UNSPACED = ["球队大胜了", "股市 大涨 abc了", "ไทยนี้รักสงบ", "ｶﾞﾝﾊﾞﾚ\u3000日本", "\U00020000\U00020001"]
EDGES = ["", " ", "x", "ab", "the the the the", "\x1c\x1dtab\tnew\nline\u2003x", "unknown " * 50, "y" * 300]


def weigh_with_sklearn(texts, fitted, max_ngram, unspaced):
    """Both vectorizers' weights side by side, and what they learned of `fitted`."""
    shared = {"sublinear_tf": True, "dtype": np.float32}
    words = TfidfVectorizer(token_pattern=choose_pattern(unspaced), ngram_range=(1, max_ngram), **shared)
    characters = TfidfVectorizer(analyzer="char_wb", ngram_range=CHARACTERS, **shared)
    expected = np.hstack([one.fit(fitted).transform(texts).toarray() for one in (words, characters)])
    vocabularies = {
        name: Vocabulary(one.get_feature_names_out().tolist(), one.idf_)
        for name, one in (("words", words), ("characters", characters))
    }
    return expected, vocabularies


def fill(weights, columns):
    found = np.zeros((len(weights.starts) - 1, columns), np.float32)
    rows = np.repeat(np.arange(len(found)), np.diff(weights.starts))
    assert len({*zip(rows.tolist(), weights.columns.tolist(), strict=True)}) == len(rows)
    found[rows, weights.columns] = weights.values
    return found


@pytest.mark.parametrize("max_ngram", [1, 2, 3])
@pytest.mark.parametrize("unspaced", [False, True])
def test_weights_are_scikit_learns(max_ngram, unspaced):
    fitted = [*ENGLISH, *GREEK, *UNSPACED]
    texts = [*fitted, *EDGES, " ".join(fitted)]
    expected, vocabularies = weigh_with_sklearn(texts, fitted, max_ngram, unspaced)
    weigher = TermWeigher(vocabularies, max_ngram, unspaced, None)
    for _ in range(2):  # the second time from memory
        found = weigher.weigh(texts)
        assert found.values.dtype == np.float32
        np.testing.assert_allclose(fill(found, expected.shape[1]), expected, rtol=1e-6, atol=0)


def test_hashed_terms_have_the_weights_of_the_terms():
    expected, vocabularies = weigh_with_sklearn(ENGLISH, ENGLISH, 2, False)
    salt = "0" * 64
    hashed = {
        name: Vocabulary([hash_term(term, salt) for term in terms], idf) for name, (terms, idf) in vocabularies.items()
    }
    found = fill(TermWeigher(hashed, 2, False, salt).weigh(ENGLISH), expected.shape[1])
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_one_kind_of_terms_is_enough_and_no_text_too_few():
    _, vocabularies = weigh_with_sklearn(ENGLISH, ENGLISH, 2, False)
    for kind in ("words", "characters"):
        found = TermWeigher({kind: vocabularies[kind]}, 2, False, None).weigh(ENGLISH)
        lengths = np.sqrt(np.add.reduceat(found.values**2, found.starts[:-1]))
        np.testing.assert_allclose(lengths, 1, rtol=1e-6)
    none = TermWeigher(vocabularies, 2, False, None).weigh([])
    assert (len(none.values), none.starts.tolist()) == (0, [0])


def test_memory_of_pieces_is_bounded_and_changes_nothing(monkeypatch):
    _, vocabularies = weigh_with_sklearn(ENGLISH, ENGLISH, 2, False)
    expected = TermWeigher(vocabularies, 2, False, None).weigh(ENGLISH)
    monkeypatch.setattr(term_weights, "PIECES", 3)
    weigher = TermWeigher(vocabularies, 2, False, None)
    for _ in range(3):
        for found, wanted in zip(weigher.weigh(ENGLISH), expected, strict=True):
            np.testing.assert_array_equal(found, wanted)
    assert len(weigher._known) <= 3
