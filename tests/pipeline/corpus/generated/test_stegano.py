from collections import Counter
from itertools import cycle, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.corpus.generated.ngram import NgramModel
from pipeline.corpus.generated.stegano import Steganographer, huffman

MASSES = st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=12).map(
    lambda values: {f"w{n}": value / sum(values) for n, value in enumerate(values)}
)


@pytest.fixture(scope="module")
def steganographer():
    random = np.random.default_rng(0)
    words = [f"w{n}" for n in range(12)]
    sentences = [list(random.choice(words, size=9, p=np.arange(1, 13) / 78)) for _ in range(200)]
    return Steganographer(NgramModel(sentences, (0.1, 0.3, 0.6)), candidates=5, shortest=4, longest=8)


def test_huffman_by_hand():
    lengths = {word: len(code) for word, code in huffman({"a": 0.5, "b": 0.25, "c": 0.15, "d": 0.1}).items()}
    assert lengths == {"a": 1, "b": 2, "c": 3, "d": 3}
    assert huffman({"only": 1.0}) == {"only": ""}


@given(MASSES)
def test_huffman_is_complete_prefix_free_and_within_a_bit_of_the_entropy(mass):
    codes = huffman(mass)
    assert set(codes) == set(mass)
    assert sum(2.0 ** -len(code) for code in codes.values()) == 1.0  # Kraft's equality
    ordered = sorted(codes.values())
    assert not any(later.startswith(earlier) for earlier, later in pairwise(ordered))
    entropy = -sum(value * np.log2(value) for value in mass.values())
    mean_length = sum(value * len(codes[word]) for word, value in mass.items())
    assert entropy - 1e-9 <= mean_length < entropy + 1


@given(st.lists(st.sampled_from("01"), min_size=1, max_size=60))
def test_hidden_bits_come_back(steganographer, message):
    """The message is repeated without end; what a sentence took of it must be its beginning."""
    stream = cycle(message)
    revealed = "".join(steganographer.reveal(steganographer.hide(stream)) for _ in range(3))
    expected = cycle(message)
    assert revealed == "".join(next(expected) for _ in revealed)
    assert revealed


def test_sentences_keep_their_bounds_and_candidates(steganographer):
    bits = (str(bit) for bit in np.random.default_rng(1).integers(2, size=100_000))
    for _ in range(200):
        words = steganographer.hide(bits).split()
        assert 4 <= len(words) <= 8
        mass = dict(zip(steganographer.model.words, steganographer.model.distribution(words[:2]), strict=True))
        assert sum(value > mass[words[2]] for value in mass.values()) < 5


def test_cover_words_follow_the_model_and_stego_words_their_code_lengths(steganographer):
    """First words of 4,000 sentences against both distributions, within 5 standard deviations each."""
    random = np.random.default_rng(2)
    bits = (str(bit) for bit in np.random.default_rng(3).integers(2, size=400_000))
    cover = Counter(steganographer.sample(random).split()[0] for _ in range(4000))
    stego = Counter(steganographer.hide(bits).split()[0] for _ in range(4000))
    mass = dict(zip(steganographer.model.words, steganographer.model.distribution([]), strict=True))
    likeliest = sorted(mass, key=lambda word: -mass[word])[:5]
    codes = huffman({word: mass[word] for word in likeliest})
    for word in mass:
        assert abs(cover[word] - 4000 * mass[word]) <= 5 * np.sqrt(4000 * mass[word])
        expected = 4000 * 2.0 ** -len(codes[word]) if word in codes else 0.0
        assert abs(stego[word] - expected) <= 5 * np.sqrt(expected)


def test_a_text_that_hides_nothing_is_an_error(steganographer):
    with pytest.raises(KeyError):
        steganographer.reveal("w0 unheard of")
