"""Tokens and the teacher's states find each other by example id."""

import numpy as np
import pytest

from student_jax.comparators.token_dataset import find_facts, join_tokens, spread_layers
from student_jax.comparators.tokens import encode, fit_tokenizer
from teacher_cache.errors import UserError
from teacher_cache.manifest import Manifest
from teacher_cache.reader import Cache, CacheRows

TEXTS = [f"text {word} here" for word in ("one", "two", "three", "four", "five", "six")]
IDS = np.frombuffer(b"".join(bytes([k]) * 16 for k in range(1, 7)), "V16")
TOKENS = np.ones((6, 8), np.int32)
SPLITS = np.array([0, 1, 2, 0, 1, 2], np.int8)


class Rows(Cache):
    """A cache that is not on disk."""

    def read(self):
        order = np.array([5, 2, 0, 1, 4, 3])
        hidden = np.arange(36, dtype=np.float16).reshape(6, 6)
        logits = np.stack([np.arange(6.0), -np.arange(6.0)], axis=1).astype(np.float32)
        label = (np.arange(6) % 2).astype(np.int32)
        kept = hidden[order] if self.manifest.hidden else None
        return CacheRows(IDS[order], SPLITS[order], label[order], logits[order], logits[order], kept)


def make_cache(tmp_path, hidden=6):
    identity = {"hidden_layers": [0, 2], "hidden_width": 3} if hidden else {}
    return Rows(tmp_path, Manifest(1, "mood", "sage", ("bad", "good"), 6, 6, hidden, identity, {}, {}, ()))


def test_rows_belong_together_whatever_their_order_in_the_cache(tmp_path):
    tokenizer, cache = fit_tokenizer(TEXTS, 100), make_cache(tmp_path)
    dataset = join_tokens(IDS[::-1], encode(tokenizer, TEXTS[::-1], 8).tokens, cache, states=True)
    test = dataset["test"]  # examples 6 and 3, in the order of the texts
    assert [one.tobytes()[0] for one in test.ids] == [6, 3]
    assert test.logits[:, 0].tolist() == [5, 2]
    np.testing.assert_array_equal(test.hidden, np.arange(36).reshape(6, 2, 3)[[5, 2]])
    assert tokenizer.decode(test.features[0]) == "text six here"
    facts = find_facts(dataset, 100, cache)
    assert (facts.vocabulary, facts.length, facts.classes, facts.layers, facts.width) == (100, 8, 2, (0, 2), 3)


def test_states_are_left_where_no_one_wants_them(tmp_path):
    dataset = join_tokens(IDS, TOKENS, make_cache(tmp_path), states=False)
    assert dataset["train"].hidden is None
    assert find_facts(dataset, 100, make_cache(tmp_path)).layers == ()


def test_a_cache_without_states_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"got none; set teacher\.sage\.cache_teacher\.hidden_layers$"):
        join_tokens(IDS, TOKENS, make_cache(tmp_path, hidden=0), states=True)


@pytest.mark.parametrize(
    ("cached", "layers", "expected"),
    [
        ((0, 1, 2), 2, [0, 1, 2]),
        ((3, 6, 9, 12), 4, [1, 2, 3, 4]),  # TinyBERT's g(m) = 3 m
        ((0, 8, 16, 24, 32), 4, [0, 1, 2, 3, 4]),
        ((12,), 4, [4]),
        ((4, 8, 12), 2, [1, 2, 2]),
        ((0,), 2, [0]),
    ],
)
def test_layers_are_spread_evenly(cached, layers, expected):
    assert spread_layers(cached, layers) == expected
