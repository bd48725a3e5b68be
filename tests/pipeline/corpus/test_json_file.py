"""What JSON may hold, by lines or as a whole, and what of it is refused."""

import pytest

from tests.pipeline.corpus.file_rows import read, refuse


def test_jsonl_keeps_types_nulls_and_line_separators_within_strings(write):
    path = write("a.jsonl", '{"text": "a\u2028b", "label": 1}\n\n{"text": null, "label": true, "id": 7}\n')
    assert read(path) == [("a\u2028b", 1), (None, True)]


def test_a_key_that_a_json_object_lacks_is_an_empty_cell_but_one_that_all_lack_is_a_wrong_name(write):
    rows = '{"text": "a"}\n{"text": "b", "label": "pos"}\n'
    assert read(write("a.jsonl", rows)) == [("a", None), ("b", "pos")]
    assert read(write("a.json", f"[{rows.strip().replace(chr(10), ',')}]")) == [("a", None), ("b", "pos")]
    message = refuse(write("b.jsonl", '{"text": "a", "lable": 1}\n{"text": "b", "id": 2}\n'))
    assert message.startswith(
        "b.jsonl: there must be one column label, got 0 (columns: 'text', 'id'); name the columns"
    )


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ('{"text": ["a", "b"], "label": [0, 1], "version": 1, "name": "x"}', [("a", 0), ("b", 1)]),
        ('{"text": {"0": "a", "1": "b"}, "label": {"0": 0}, "meta": "q"}', [("a", 0), ("b", None)]),
    ],
)
def test_json_by_columns_may_have_more_beside_them(write, content, rows):
    assert read(write("a.json", content)) == rows


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"text": ["a", "b"], "label": [0]}', "columns must be equally long, got 2 of text and 1 of 'label'"),
        ('{"columns": ["text", "label"], "data": [1, 2]}', "must be a list of objects or a table"),
    ],
)
def test_json_that_is_no_table_is_refused(write, content, message):
    assert message in refuse(write("a.json", content))


@pytest.mark.parametrize("line", ['{"text": "a",', "[1]", "7", "[" * 100_000, '{"label": ' + "9" * 5000 + "}"])
def test_a_malformed_json_line_is_refused_with_file_and_line(write, line):
    assert refuse(write("a.jsonl", f'{{"text": "a", "label": 1}}\n{line}\n')).startswith(
        "a.jsonl line 2: must be one JSON object, got "
    )
