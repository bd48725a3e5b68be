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
    found = encode(tokenizer, ["A good film", "a \N{SNOWMAN}"], 8)
    assert found.dtype == np.int32
    assert found[0].tolist() == [2, number("a"), number("good"), number("film"), 3, 0, 0, 0]
    assert found[1].tolist() == [2, number("a"), 1, 3, 0, 0, 0, 0]


def test_long_texts_are_cut_and_still_end():
    found = encode(fit_tokenizer(TEXTS, 100), ["good " * 50], 6)
    assert found.shape == (1, 6)
    assert (found[0, 0], found[0, -1]) == (2, 3)


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
