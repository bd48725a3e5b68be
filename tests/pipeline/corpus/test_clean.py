import hashlib
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from pipeline.corpus.clean import REASONS, clean, make_example_id, normalise

# A small alphabet, so that duplicates, contradictions, combining marks and every kind of white space do come up.
TEXTS = st.text(alphabet="ab\u00e9e\u0301 \t\n\u00a0\u2003\u2028\0\ud800", max_size=5)
ROWS = st.lists(st.tuples(st.none() | TEXTS, st.sampled_from(["x", "y"])), max_size=30)


@given(st.text())
def test_normalising_twice_changes_nothing(text):
    assert normalise(normalise(text)) == normalise(text)


def test_normalising_composes_and_closes_up():
    assert normalise("  cafe\u0301\t\n \u00a0au\u2003lait ") == "caf\u00e9 au lait"


def test_example_id_is_the_documented_hash():
    expected = hashlib.blake2b(b"mood\x00caf\xc3\xa9", digest_size=16).digest()
    assert make_example_id("mood", "caf\u00e9") == expected
    assert make_example_id("other", "caf\u00e9") != expected


def test_every_reason_is_counted():
    """By hand, in the order of the rows; `kept` is all that stays."""
    rows = [
        (None, "x"),  # null
        (" \t", "x"),  # empty
        ("a\0b", "x"),  # invalid_characters
        ("\ud800", "x"),  # invalid_characters
        ("12345678901", "x"),  # too_long
        ("same", "x"),
        (" same\n", "x"),  # duplicate
        ("both", "x"),  # contradicting
        ("both", "y"),  # contradicting
        ("both", "x"),  # contradicting
        ("1234567890", "y"),
    ]
    kept, drops = clean(rows, max_characters=10)
    assert kept == {"same": "x", "1234567890": "y"}
    assert drops == {
        "null": 1, "empty": 1, "invalid_characters": 2, "too_long": 1, "duplicate": 1, "contradicting": 3
    }  # fmt: skip


@given(ROWS, st.randoms(use_true_random=False))
def test_cleaning_accounts_for_every_row_in_any_order(rows, random):
    kept, drops = clean(rows, max_characters=4)
    assert len(kept) + drops.total() == len(rows)
    assert set(drops) == set(REASONS)
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert clean(shuffled, max_characters=4) == (kept, Counter(drops))


@given(ROWS)
def test_what_is_kept_is_clean_and_has_its_only_label(rows):
    kept, _ = clean(rows, max_characters=4)
    for text, label in kept.items():
        assert text.encode()
        assert len(text) <= 4
        assert "\0" not in text
        assert {other for raw, other in rows if raw is not None and normalise(raw) == text} == {label}
