"""One normal form in training and at inference, by hand for the scripts and marks that people bring."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teacher_cache.text import FAULTS, TextRules, normalise, normalise_label

# As much as random texts hardly ever have: invisible characters, marks, a flag with its tags, white space.
ODD = st.text(
    st.sampled_from("ae\u0301\u0300\u200b\ufeff\u00ad\u200d\u2060 \n\u00a0\u3000\x01\x1c한\u1112\u1161\u11ab")
)
ENGLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"


@given(st.text() | ODD, st.sampled_from(["drop", "keep"]))
def test_normalising_twice_changes_nothing(text, invisible):
    once = normalise(text, invisible)
    assert normalise(once, invisible) == once


@given(st.text() | ODD)
def test_composed_and_decomposed_texts_are_one(text):
    assert normalise(unicodedata.normalize("NFD", text)) == normalise(unicodedata.normalize("NFC", text))


@pytest.mark.parametrize(
    ("text", "kept", "dropped"),
    [
        ("  cafe\u0301\t\n \u00a0au\u2003lait ", "café au lait", "café au lait"),
        ("\ufeffwhat a day", "\ufeffwhat a day", "what a day"),
        ("pass\u200bword so\u00adft \x08", "pass\u200bword so\u00adft \x08", "password soft"),
        ("e\u200b\u0301", "e\u200b\u0301", "é"),
        ("\u202eabc\u202c\u3164\U000e0041", "\u202eabc\u202c\u3164\U000e0041", "abc"),
        # What joins, or shapes its neighbours, stays: Persian, a family, a heart in colour, the flag of England.
        *(
            (text, text, text)
            for text in ("\u0645\u06cc\u200c\u062e\u0648\u0627", "👨\u200d👩\u200d👧", "❤\ufe0f", ENGLAND)
        ),
        ("한국", "한국", "한국"),
        ("a\u3000b\x85c\u2028d", "a b c d", "a b c d"),
    ],
)
def test_the_normal_form(text, kept, dropped):
    assert normalise(text) == kept
    assert normalise(text, "drop") == dropped


def test_a_label_that_looks_the_same_is_the_same():
    assert normalise_label("\ufeff anime\u0301 ") == normalise_label("animé") == "animé"


@pytest.mark.parametrize(
    ("text", "fault", "line"),
    [
        ("fine", None, None),
        (None, "null", "text must be a string, got NoneType"),
        (3, "null", "text must be a string, got int"),
        ("\ufeff \u200b", "empty", "text must not be empty, got nothing that can be seen"),
        ("123456", "too_long", "text must have at most 5 characters, got 6"),
        (" 1\u200b2 345\n", "too_long", "text must have at most 5 characters, got 6"),
        ("1\ufeff234", None, None),
        ("a\0", "invalid_characters", "text must be Unicode without NUL, got NUL at character 2"),
        (
            "\ud83d",
            "invalid_characters",
            "text must be Unicode without NUL, got half of a surrogate pair, U+D83D, at character 1",
        ),
    ],
)
def test_what_no_text_may_be_is_said_in_a_line(text, fault, line):
    rules = TextRules("drop", max_characters=5)
    form = rules.normalise(text) if isinstance(text, str) else text
    assert rules.find_fault(form) == fault
    assert fault is None or fault in FAULTS
    assert rules.explain_fault(text) == line
