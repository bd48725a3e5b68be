"""A sealed file says what was written or says that it was edited; its size and depth are bounded."""

import json

import pytest

from teacher_cache.errors import UserError
from teacher_cache.sealed import MAX_NESTING, read_sealed, write_sealed

CONTENT = {"format": 3, "name": "ü", "rates": [0.1, 1e-300, 2**60], "inner": {"none": None, "yes": True}}


@pytest.fixture
def path(tmp_path):
    write_sealed(tmp_path / "a.json", CONTENT)
    return tmp_path / "a.json"


def nest(levels):
    value = 0
    for _ in range(levels):
        value = [value]
    return value


def test_what_was_written_comes_back(path):
    assert read_sealed(path, 3) == CONTENT


@pytest.mark.parametrize(("old", "new"), [("0.1", "0.2"), ("true", "false"), ("ü", "u"), ('"seal"', '"sea1"')])
def test_an_edit_is_told(path, old, new):
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(UserError, match=r"a\.json: seal must be [0-9a-f]{64}, got .*: it was edited or damaged"):
        read_sealed(path, 3)


def test_spaces_and_the_order_of_keys_are_no_edit(path):
    content = json.loads(path.read_text())
    path.write_text(json.dumps(dict(reversed(content.items()))))
    assert read_sealed(path, 3) == CONTENT


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "must be a JSON object"),
        ("[" * 100_000, "must be a JSON object"),
        (json.dumps({"format": 4}), "format must be 3, got 4"),
        (json.dumps({"format": 3, "deep": nest(MAX_NESTING)}), f"nested at most {MAX_NESTING} deep"),
        ('{"format": 3, "rate": NaN}', "seal must be that of numbers alone"),
    ],
)
def test_what_is_no_sealed_file(path, text, message):
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        read_sealed(path, 3)


def test_a_file_that_is_too_large_is_not_read(path):
    with pytest.raises(UserError, match="must have at most 10 bytes, got"):
        read_sealed(path, 3, limit=10)
