"""A body is a list of texts, or it is refused; nothing else can come of it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.service.limits import Limits, RefusedError, read_texts

LIMITS = Limits(max_texts=3, max_characters=5)
TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), min_size=1, max_size=3)


@given(TEXTS, st.booleans())
def test_texts_come_back_as_they_were(texts, ascii_only):
    body = json.dumps({"texts": texts}, ensure_ascii=ascii_only).encode()
    assert read_texts(body, LIMITS) == texts


@given(
    st.binary(max_size=200) | st.recursive(st.none() | st.text(), st.lists).map(lambda one: json.dumps(one).encode())
)
def test_anything_else_is_refused_in_one_line(body):
    with pytest.raises(RefusedError) as caught:
        read_texts(body, LIMITS)
    assert caught.value.status in {400, 413, 422}
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("body", "status", "line"),
    [
        (b"", 400, "must be JSON"),
        (b"[" * 500_000, 400, "not nested so deeply"),
        (b'{"texts":' * 100_000, 400, "not nested so deeply"),
        (b'{"texts": [' + b"9" * 100_000 + b"]}", 400, "must be JSON"),
        (b'{"texts": [NaN]}', 400, "must be JSON"),
        (b'{"texts": [Infinity]}', 400, "must be JSON"),
        (b'{"texts": ["\xff"]}', 400, "must be JSON in UTF-8"),
        (b'{"texts": ["\x00"]}', 400, "control character"),
        (b'{"texts": ["a"]} x', 400, "Extra data"),
        (b"{}", 422, 'the one key "texts"'),
        (b'{"texts": ["a"], "more": 1}', 422, 'the one key "texts"'),
        (b'{"texts": []}', 422, "at least one text"),
        (b'{"texts": "a"}', 422, "a list"),
        (b'{"texts": ["a", "b", "c", "d"]}', 413, "at most 3, got 4"),
    ],
)
def test_a_broken_rule_is_named(body, status, line):
    with pytest.raises(RefusedError) as caught:
        read_texts(body, LIMITS)
    assert caught.value.status == status
    assert line in str(caught.value)


def test_a_bad_text_is_a_fault_of_its_own():
    texts = read_texts(b'{"texts": ["a", null, "abcdef"]}', LIMITS)
    assert [LIMITS.explain_fault(text) for text in texts] == [
        None,
        "text must be a string, got NoneType",
        "text must have at most 5 characters, got 6",
    ]
    assert read_texts(b'{"texts": ["\\ud83d"]}', LIMITS) == ["\ud83d"]  # the student's rules refuse it
