"""What a file may hold, and what of it is refused: each with a line that says where."""

import csv

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.corpus.file_source import read_file_rows
from teacher_cache.errors import UserError


def read(path):
    return [(row.text, row.label) for row in read_file_rows(path, "text", "label")]


def refuse(path):
    with pytest.raises(UserError) as caught:
        read(path)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.fixture
def write(tmp_path):
    def write_bytes(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write_bytes


def test_csv_takes_quotes_embedded_lines_and_a_byte_order_mark(write):
    path = write("a.csv", '\ufefftext,more,label\r\n"one, ""two""\nthree",x,pos\r\n\r\nplain,y,neg\r\n')
    assert read(path) == [('one, "two"\nthree', "pos"), ("plain", "neg")]


def test_a_record_is_placed_by_the_line_it_begins_in(write):
    path = write("a.csv", 'text,label\n"a\nb\nc",pos\nd,neg\n')
    assert [row.place for row in read_file_rows(path, "text", "label")] == ["a.csv line 2", "a.csv line 5"]


def test_tsv_keeps_commas(write):
    assert read(write("a.TSV", "label\ttext\n1\tone, two\n")) == [("one, two", "1")]


def test_a_line_of_ten_megabytes_is_read_and_the_csv_limit_put_back(write):
    limit = csv.field_size_limit()
    assert len(read(write("a.csv", "text,label\n" + "x" * 10_000_000 + ",pos\n"))[0][0]) == 10_000_000
    assert csv.field_size_limit() == limit


def test_nul_bytes_are_left_to_cleaning(write):
    assert read(write("a.csv", b"text,label\na\0b,pos\n")) == [("a\0b", "pos")]


def test_jsonl_keeps_types_nulls_and_line_separators_within_strings(write):
    path = write("a.jsonl", '{"text": "a\u2028b", "label": 1}\n\n{"text": null, "label": true, "id": 7}\n')
    assert read(path) == [("a\u2028b", 1), (None, True)]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string())])
def test_parquet_reads_every_kind_of_string(tmp_path, kind):
    table = pa.table({"text": pa.array(["a", None, "b"]).cast(kind), "label": [0, 1, None], "other": [1.0, 2.0, 3.0]})
    pq.write_table(table, tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet") == [("a", 0), (None, 1), ("b", None)]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl"])
@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff"])
def test_an_empty_file_is_refused(write, name, content):
    assert refuse(write(name, content)) == f"{name}: must have rows, got an empty file"


def test_invalid_utf8_is_refused_with_file_and_line(write):
    assert refuse(write("a.csv", b"text,label\nok,pos\nna\xefve,neg\n")).startswith(
        "a.csv line 3: must be UTF-8, got byte 0xef at position 3"
    )
    assert "a.jsonl line 1: must be UTF-8" in refuse(write("a.jsonl", '{"text": "a"}'.encode("utf-16")))


def test_a_missing_or_repeated_column_is_refused_with_the_columns_found(write):
    assert "a.csv line 1: there must be one column label, got 0 (columns: 'text', 'lable')" in refuse(
        write("a.csv", "text,lable\na,b\n")
    )
    assert "one column text, got 2" in refuse(write("b.csv", "text,text,label\na,b,c\n"))
    assert "c.jsonl line 2: there must be one column text, got 0" in refuse(
        write("c.jsonl", '{"text": "a", "label": 1}\n{"label": 1}\n')
    )


@pytest.mark.parametrize("line", ['{"text": "a",', "[1]", "7", "[" * 100_000, '{"label": ' + "9" * 5000 + "}"])
def test_a_malformed_json_line_is_refused_with_file_and_line(write, line):
    assert refuse(write("a.jsonl", f'{{"text": "a", "label": 1}}\n{line}\n')).startswith(
        "a.jsonl line 2: must be one JSON object, got "
    )


def test_text_that_is_no_string_is_refused(write, tmp_path):
    assert refuse(write("a.jsonl", '{"text": 3, "label": 1}')) == "a.jsonl line 1: text must be a string, got 3"
    pq.write_table(pa.table({"text": [1.5], "label": [0]}), tmp_path / "a.parquet")
    assert refuse(tmp_path / "a.parquet") == "a.parquet row 1: text must be a string, got 1.5"


@pytest.mark.parametrize(
    ("content", "line"),
    [('text,label\na,pos\n"never closed,pos\nb,neg\n', 3), ('text,label\n"a" b,pos\n', 2)],
)
def test_broken_quotes_are_refused_where_the_record_begins(write, content, line):
    assert refuse(write("a.csv", content)).startswith(f"a.csv line {line}: must be quoted as RFC 4180 says")


@pytest.mark.parametrize(("line", "fields"), [("a", 1), ("a,pos,more", 3)])
def test_a_line_with_other_than_the_headers_fields_is_refused(write, line, fields):
    assert refuse(write("a.csv", f"text,label\n{line}\n")) == (
        f"a.csv line 2: must have 2 fields as the header has, got {fields}"
    )


def test_bytes_that_are_no_parquet_are_refused(write):
    for content in (b"", b"PAR1", b"text,label\na,pos\n"):
        assert refuse(write("a.parquet", content)).startswith("a.parquet: must be a Parquet file, got: ")


def test_parquet_with_invalid_utf8_is_refused_with_its_row(tmp_path):
    text = pa.Array.from_buffers(pa.string(), 2, pa.array([b"ok", b"\xff\xfe"]).buffers())
    pq.write_table(pa.table({"text": text, "label": [0, 1]}), tmp_path / "a.parquet")
    assert refuse(tmp_path / "a.parquet") == "a.parquet row 2: must be UTF-8, got other bytes"


def test_another_suffix_is_refused(write):
    assert refuse(write("a.xlsx", "text,label\n")) == (
        "a.xlsx: suffix must be .csv, .tsv, .jsonl or .parquet, got '.xlsx'"
    )
