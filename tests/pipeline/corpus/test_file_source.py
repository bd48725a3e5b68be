"""What a file may hold, and what of it is refused: each with a line that says where."""

import csv
import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.corpus.file_source import read_file_rows
from pipeline.corpus.row import Columns
from pipeline.corpus.task_config import FileSource
from teacher_cache.errors import UserError
from tests.pipeline.corpus.file_rows import LABELS, read, read_rows, refuse


def test_csv_takes_quotes_embedded_lines_and_a_byte_order_mark(write):
    path = write("a.csv", '\ufefftext,more,label\r\n"one, ""two""\nthree",x,pos\r\n\r\nplain,y,neg\r\n')
    assert read(path) == [('one, "two"\nthree', "pos"), ("plain", "neg")]


def test_a_record_is_placed_by_the_line_it_begins_in(write):
    path = write("a.csv", 'text,label\n"a\nb\nc",pos\nd,neg\n')
    assert [row.place for row in read_rows(path)[0]] == ["a.csv line 2", "a.csv line 5"]


def test_a_quoted_header_is_read_whatever_becomes_of_the_quotes(write):
    assert read(write("a.csv", '"text","label"\n"one, two",pos\n')) == [("one, two", "pos")]
    assert read(write("b.csv", '"text","label"\nsix 6" nails,pos\n"so" he said,neg\n')) == [
        ('six 6" nails', "pos"),
        ('"so" he said', "neg"),
    ]


def test_tsv_keeps_commas(write):
    assert read(write("a.TSV", "label\ttext\n1\tone, two\n")) == [("one, two", "1")]


def test_a_line_of_ten_megabytes_is_read_and_the_csv_limit_put_back(write):
    limit = csv.field_size_limit()
    assert len(read(write("a.csv", "text,label\n" + "x" * 10_000_000 + ",pos\n"))[0][0]) == 10_000_000
    assert csv.field_size_limit() == limit


def test_nul_bytes_are_left_to_cleaning(write):
    assert read(write("a.csv", b"text,label\na\0b,pos\n")) == [("a\0b", "pos")]


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
    message = refuse(write("a.csv", "text,label\nnaïve,pos\n".encode("cp1252")))
    assert message.endswith("name its encoding in source.encoding, such as cp1252")
    assert read(write("a.csv", "text,label\nnaïve,pos\n".encode("cp1252")), encoding="cp1252") == [("naïve", "pos")]
    assert "source.encoding must be one that Python knows" in refuse(write("a.csv", "text,label\n"), encoding="ansi")


def test_a_missing_or_repeated_column_is_refused_with_the_columns_found(write):
    assert "a.csv line 1: there must be one column label, got 0 (columns: 'text', 'lable')" in refuse(
        write("a.csv", "text,lable\na,b\n")
    )
    assert "one column text, got 2" in refuse(write("b.csv", "text,text,label\na,b,c\n"))
    assert "c.jsonl line 2: there must be one column text, got 0" in refuse(
        write("c.jsonl", '{"text": "a", "label": 1}\n{"label": 1}\n')
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
    message = refuse(write("a.csv", content), quote='"')
    assert message.startswith(f"a.csv line {line}: must be quoted as RFC 4180 says")
    assert "source.quote: none" in message


@pytest.mark.parametrize(("line", "fields"), [("a", 1), ("a,pos,more", 3)])
def test_a_line_with_other_than_the_headers_fields_is_refused(write, line, fields):
    assert refuse(write("a.csv", f"text,label\n{line}\n")).startswith(
        f"a.csv line 2: must have 2 fields as the header has, got {fields}; quote a field with ',' or a line break in "
    )


def test_bytes_that_are_no_parquet_are_refused(write):
    for content in (b"", b"PAR1", b"text,label\na,pos\n"):
        assert refuse(write("a.parquet", content)).startswith("a.parquet: must be a Parquet file, got: ")


def test_parquet_with_invalid_utf8_is_refused_with_its_row(tmp_path):
    text = pa.Array.from_buffers(pa.string(), 2, pa.array([b"ok", b"\xff\xfe"]).buffers())
    pq.write_table(pa.table({"text": text, "label": [0, 1]}), tmp_path / "a.parquet")
    assert refuse(tmp_path / "a.parquet") == "a.parquet row 2: must be UTF-8, got other bytes"


def test_another_suffix_is_refused(write):
    assert refuse(write("a.pdf", "text,label\n")) == (
        "a.pdf: suffix must be .csv, .tsv, .txt, .json, .jsonl, .ndjson or .parquet, got '.pdf'"
    )


@pytest.mark.parametrize("name", ["a.xlsx", "a.XLS", "a.ods"])
def test_a_workbook_is_refused_with_what_to_do(write, name):
    assert refuse(write(name, "PK\x03\x04")) == (
        f"{name}: a workbook must be saved as CSV (in Excel: CSV UTF-8) and that file named here"
    )


def test_a_workbook_under_another_name_is_refused_with_what_to_do(write):
    assert "got a workbook or an archive: save it as CSV" in refuse(write("a.csv", b"PK\x03\x04\x14\0"))


# ---- How a file is read where nothing is said ----


@pytest.mark.parametrize(
    ("name", "content", "delimiter"),
    [
        ("a.csv", "text;label\nfine, really;pos\n", ";"),
        ("a.csv", "sep=;\r\ntext;label\r\nfine, really;pos\r\n", ";"),
        ("a.csv", '"sep=|"\ntext|label\nfine, really|pos\n', "|"),
        ("a.csv", "text\tlabel\nfine, really\tpos\n", "\t"),
        ("a.tsv", "text;label\nfine, really;pos\n", ";"),
        ("a.txt", "text|label\nfine, really|pos\n", "|"),
        ("a.csv", " text ; label;;\nfine, really;pos;;\n;;;\n", ";"),  # a header with blanks, empty columns and rows
        ("a.csv", "\n\ntext;id;label;;\nfine, really;1;pos\n", ";"),  # lacking what nobody reads
        ("a.csv", 'text,label\n"fine, really",pos,,\n', ","),
    ],
)
def test_the_delimiter_is_what_makes_the_header_fit(write, name, content, delimiter):
    rows, form = read_rows(write(name, content))
    assert [(row.text, row.label) for row in rows] == [("fine, really", "pos")]
    assert form == {"delimiter": delimiter, "quote": '"', "encoding": "utf-8"}


def test_another_delimiter_is_named(write):
    path = write("a.csv", "text#label\nfine, really#pos\n")
    assert "got 0 (columns: 'text#label'); name the columns in the source's text and label, and what stands" in refuse(
        path
    )
    assert read(path, delimiter="#") == [("fine, really", "pos")]


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
@pytest.mark.parametrize("turned", [False, True])
def test_a_quote_that_is_a_character_swallows_no_row(write, delimiter, turned):
    rows = [('"I waited for an hour.', "neg"), ("The soup was cold.", "neg"), ('Still we laughed."', "pos")]
    lines = [delimiter.join(row[::-1] if turned else row) for row in [("text", "label"), *rows]]
    found, form = read_rows(write("a.csv", "\n".join(lines)))
    assert [(row.text, row.label) for row in found] == rows
    assert form["quote"] == "none"


def test_a_quote_that_never_closes_is_a_character(write):
    assert read(write("a.tsv", 'text\tlabel\n"Great" film\tpos\n"Odd\tneg\n')) == [
        ('"Great" film', "pos"),
        ('"Odd', "neg"),
    ]


def test_where_neither_reading_holds_the_line_and_the_setting_are_named(write):
    path = write("a.csv", 'text,label\n"fine, really",pos\n"I waited,neg\nThe soup was cold,neg\nStill",pos\n')
    message = refuse(path)
    assert message.startswith("a.csv line 3: a quote opens a field of 3 lines that are rows by themselves; ")
    assert "set source.quote: none where a quote is a character, source.quote: '\"' where it opens a field" in message
    assert len(read(path, quote='"')) == 2


@pytest.mark.parametrize(
    "text", ["Dear Anna,\nthank you,\nbye", "a\n\nb", "one,pos of many\ntwo", 'he said ""no""\nand, well, left']
)
def test_a_quoted_letter_stays_one_text(write, text):
    path = write("a.csv", f'text,label\n"{text}",pos\n"plain",neg\n')
    assert read(path) == [(text.replace('""', '"'), "pos"), ("plain", "neg")]


def test_other_quotes_and_escapes_are_named(write):
    assert read(write("a.csv", "text,label\n'a, b',pos\n"), quote="'") == [("a, b", "pos")]
    path = write("a.csv", 'text,label\n"a \\"b\\", c",pos\n')
    assert "source.quote" in refuse(path)
    assert read(path, escape="\\") == [('a "b", c', "pos")]


def test_utf_16_that_does_not_say_its_order_is_refused_with_what_to_name(write):
    path = write("a.csv", "text,label\na,pos\n".encode("utf-16-le"))
    assert "as UTF-16 has them: name its encoding in source.encoding, such as utf-16-le" in refuse(path)
    assert "must be UTF-16, got: UTF-16 stream does not start with BOM; name the order" in refuse(
        path, encoding="utf-16"
    )
    assert read(path, encoding="utf-16-le") == [("a", "pos")]
    assert "must be one that Python knows" in refuse(path, encoding="undefined")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_a_byte_order_mark_names_the_encoding(write, encoding):
    mark = "\ufeff" if encoding == "utf-16-le" else ""
    for name, content in (("a.csv", "text,label\nnaïve,pos\n"), ("a.jsonl", '{"text": "naïve", "label": "pos"}')):
        assert read(write(name, (mark + content).encode(encoding))) == [("naïve", "pos")]


@pytest.mark.parametrize("name", ["a.csv.gz", "a.csv", "A.CSV.GZ"])
def test_a_packed_file_is_read(write, name):
    packed = gzip.compress(b"text,label\na,pos\n")
    assert read(write(name, packed)) == [("a", "pos")]
    for damaged in (packed[:-9], packed[:12], packed[:10] + b"\xff" + packed[11:]):
        assert "must be a whole gzip file" in refuse(write(name, damaged))


def test_lines_that_end_as_on_old_machines_are_lines(write):
    assert read(write("a.csv", "text,label\ra,pos\rb,neg\r")) == [("a", "pos"), ("b", "neg")]


# ---- Texts alone: no label tells which reading of a line is right ----


def read_texts(path, **source):
    rows, form = read_file_rows(path, FileSource(kind="file", path=path.name, **source), Columns("text", None), LABELS)
    return [row.text for row in rows], form["quote"]


def refuse_texts(path, **source):
    with pytest.raises(UserError) as caught:
        read_texts(path, **source)
    return str(caught.value)


@pytest.mark.parametrize("line", ["fine, really", "Dear Anna,", '"Fine", he said'])
def test_one_column_with_commas_is_refused_and_the_advice_works(write, line):
    path = write("a.csv", f"text\n{line}\nplain\n")
    assert refuse_texts(path) == (
        "a.csv line 2: must have one field as the header has, got 2; quote a text with ',' in it, or set "
        "source.delimiter to what no text has, such as tab"
    )
    assert read_texts(path, delimiter="\t")[0] == [line, "plain"]
    quoted = line.replace('"', '""')
    assert read_texts(write("b.csv", f'text\n"{quoted}"\nplain\n')) == ([line, "plain"], '"')


@pytest.mark.parametrize("header", ["text", "id,text"])
def test_lines_that_may_be_texts_by_themselves_are_not_joined_unasked(write, header):
    before = header.removesuffix("text").replace("id", "1")
    texts = ['"I waited.', "Then it rained.", 'We laughed."']
    path = write("a.csv", "\n".join([header, *(before + text for text in texts)]))
    message = refuse_texts(path)
    assert message.startswith(
        "a.csv line 2: a quote opens a field of 3 lines, each of which may be a row by itself; set "
    )
    assert read_texts(path, quote="none")[0] == texts
    assert len(read_texts(path, quote='"')[0]) == 1


@pytest.mark.parametrize("proof", ['"fine, really"', '"He said ""no"""', '"whole"'])
def test_a_letter_among_texts_stays_one_where_a_line_must_be_quoted(write, proof):
    path = write("a.csv", f'text\n"Dear Anna,\nthank you\nbye"\n{proof}\n')
    assert read_texts(path)[0][0] == "Dear Anna,\nthank you\nbye"
