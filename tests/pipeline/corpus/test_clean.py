import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.corpus import clean as clean_module
from pipeline.corpus.clean import REASONS, Text, clean, make_example_id
from teacher_cache.text import TextRules, normalise

# A small alphabet, so that duplicates, contradictions, combining marks and every kind of white space do come up.
TEXTS = st.text(alphabet="ab\u00e9e\u0301 \t\n\u00a0\u2003\u2028\0\ud800", max_size=5)
ROWS = st.lists(st.builds(Text, st.none() | TEXTS, st.integers(0, 1), st.none(), st.none()), max_size=30)


def test_example_id_is_the_documented_hash():
    expected = hashlib.blake2b(b"mood\x00caf\xc3\xa9", digest_size=16).digest()
    assert make_example_id("mood", "caf\u00e9") == expected
    assert make_example_id("other", "caf\u00e9") != expected


def as_dict(cleaned):
    return dict(zip(cleaned.texts.to_pylist(), cleaned.classes.tolist(), strict=True))


def test_every_reason_is_counted():
    """By hand, in the order of the rows; what is kept is all that stays."""
    rows = [
        (None, 0),  # null
        (" \t", 0),  # empty
        ("a\0b", 0),  # invalid_characters
        ("\ud800", 0),  # invalid_characters
        ("12345678901", 0),  # too_long
        ("same", 0),
        (" same\n", 0),  # duplicate
        ("both", 0),  # contradicting
        ("both", 1),  # contradicting
        ("both", 0),  # contradicting
        ("1234567890", 1),
    ]
    cleaned = clean("mood", [Text(*row) for row in rows], TextRules(max_characters=10))
    assert as_dict(cleaned) == {"same": 0, "1234567890": 1}
    assert cleaned.drops == {
        "null": 1, "empty": 1, "invalid_characters": 2, "too_long": 1, "duplicate": 1, "contradicting": 3
    }  # fmt: skip


@pytest.mark.parametrize("block", [2, 1000])
@given(ROWS, st.randoms(use_true_random=False))
def test_cleaning_accounts_for_every_row_in_any_order(block, rows, random):
    shuffled = list(rows)
    random.shuffle(shuffled)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clean_module, "BLOCK_ROWS", block)
        first, second = (clean("mood", iter(one), TextRules(max_characters=4)) for one in (rows, shuffled))
    assert len(first.ids) + first.drops.total() == len(rows)
    assert set(first.drops) == set(REASONS)
    assert first.drops == second.drops
    np.testing.assert_array_equal(first.ids, second.ids)
    assert list(as_dict(first).items()) == list(as_dict(second).items())


@given(ROWS)
def test_what_is_kept_is_clean_has_its_only_label_and_is_sorted_by_its_id(rows):
    cleaned = clean("mood", rows, TextRules(max_characters=4))
    for text, label in as_dict(cleaned).items():
        assert text.encode()
        assert len(text) <= 4
        assert "\0" not in text
        assert {other for raw, other, *_ in rows if raw is not None and normalise(raw) == text} == {label}
    ids = [one.tobytes() for one in cleaned.ids]
    assert ids == sorted(make_example_id("mood", text) for text in cleaned.texts.to_pylist())
