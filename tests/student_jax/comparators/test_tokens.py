"""Texts become the tokens they should, the same ones every time."""

import numpy as np
import pytest
from tokenizers import Tokenizer, models

from student_jax.comparators.tokens import encode, fit_tokenizer, load_tokenizer
from teacher_cache.errors import UserError

TEXTS = ["a good film", "a bad film", "good and bad films, a lot of them"] * 5


def test_tokens_by_hand():
    tokenizer = fit_tokenizer(TEXTS, 100)
    number = tokenizer.token_to_id
    assert [number(token) for token in ("[PAD]", "[UNK]", "[CLS]", "[SEP]")] == [0, 1, 2, 3]
    found, cut = encode(tokenizer, ["A good film", "a \N{SNOWMAN}"], 8)
    assert cut == 0
    assert found.dtype == np.int32
    assert found[0].tolist() == [2, number("a"), number("good"), number("film"), 3, 0, 0, 0]
    assert found[1].tolist() == [2, number("a"), 1, 3, 0, 0, 0, 0]


def test_long_texts_are_cut_and_counted_and_still_end():
    found, cut = encode(fit_tokenizer(TEXTS, 100), ["good " * 50, "a film", "good " * 4, "good " * 5], 6)
    assert found.shape == (4, 6)
    assert (found[0, 0], found[0, -1]) == (2, 3)
    assert cut == 2


def test_whole_texts_are_read_where_nothing_else_is_said():
    """17 words and two ends are 19 tokens, 32 by steps of 16; BERT has 512 positions."""
    tokenizer = fit_tokenizer(TEXTS, 100)
    found, cut = encode(tokenizer, ["good " * 17, "a film"], None)
    assert (found.shape, cut) == ((2, 32), 0)
    assert found[0].tolist().index(3) == 18
    found, cut = encode(tokenizer, ["good " * 600], None)
    assert (found.shape, cut) == ((1, 512), 1)


def test_the_same_texts_give_the_same_tokenizer():
    """Many words that are equally frequent, whose order only chance could decide."""
    texts = [f"{first}{middle}{last} of" for first in "abcdefgh" for middle in "aeiou" for last in "klmnop"]
    assert len({fit_tokenizer(texts, 200).to_str() for _ in range(5)}) == 1


def test_tokenizers_that_do_not_serve_are_refused(tmp_path):
    path = tmp_path / "tokenizer.json"
    with pytest.raises(UserError, match=r"tokenizer\.json must exist; save the checkpoint with a fast tokenizer"):
        load_tokenizer(tmp_path)
    path.write_text("{}")
    with pytest.raises(UserError, match=r"tokenizer\.json must be a tokenizer: "):
        load_tokenizer(tmp_path)
    Tokenizer(models.WordLevel({"[UNK]": 0, "[PAD]": 1}, "[UNK]")).save(str(path))
    with pytest.raises(UserError, match=r"\[PAD\] must be token 0, got 1"):
        load_tokenizer(tmp_path)
