"""CSV, TSV, JSONL and Parquet files -> rows.

In: a file's path and its column names.  Out: read_file_rows().  Imports: pyarrow, the standard library.
"""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.corpus.row import Row, quote, require_columns
from teacher_cache.errors import UserError

# The csv module's own limit is 131,072 characters a field; overlong texts are for cleaning to drop and to count.
FIELD_CHARACTERS = 2**31 - 1


def read_file_rows(path: Path, text: str, label: str) -> Iterator[Row]:
    """Rows of `path`, read by its suffix: .csv, .tsv, .jsonl or .parquet.

    Args:
        path: an existing file; text files are UTF-8, with or without a byte order mark.
        text: name of the text column.
        label: name of the label column.

    Raises:
        UserError: another suffix, an empty file, a column that is missing, or a line that cannot be read (named).
    """
    match path.suffix.lower():
        case ".csv":
            return read_delimited(path, ",", text, label)
        case ".tsv":
            return read_delimited(path, "\t", text, label)
        case ".jsonl":
            return read_jsonl(path, text, label)
        case ".parquet":
            return read_parquet(path, text, label)
        case suffix:
            raise UserError(f"{path.name}: suffix must be .csv, .tsv, .jsonl or .parquet, got {quote(suffix)}")


def read_lines(path: Path) -> Iterator[str]:
    """Lines of a UTF-8 file with their ends. Decoded one by one, so that an error can name its line."""
    empty = True
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                decoded = line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise UserError(
                    f"{path.name} line {number}: must be UTF-8, got byte 0x{line[error.start]:02x} "
                    f"at position {error.start + 1}; convert the file to UTF-8"
                ) from None
            empty = empty and not decoded.strip()
            yield decoded
    if empty:
        raise UserError(f"{path.name}: must have rows, got an empty file")


def read_delimited(path: Path, delimiter: str, text: str, label: str) -> Iterator[Row]:
    """Rows of a CSV or TSV file with a header line, quoted as RFC 4180 says; blank lines are skipped.

    Quoting is strict: a stray quote would otherwise swallow the lines up to the next one without a word.
    """
    previous_limit = csv.field_size_limit(FIELD_CHARACTERS)
    reader = csv.reader(read_lines(path), delimiter=delimiter, strict=True)
    try:
        header: list[str] | None = None
        first_line = 1
        for fields in reader:
            place = f"{path.name} line {first_line}"
            first_line = reader.line_num + 1
            if not fields:
                continue
            if header is None:
                header = fields
                require_columns(place, header, text, label)
                text_index, label_index = header.index(text), header.index(label)
                continue
            if len(fields) != len(header):
                raise UserError(f"{place}: must have {len(header)} fields as the header has, got {len(fields)}")
            yield Row(place, fields[text_index], fields[label_index])
    except csv.Error as error:
        raise UserError(
            f"{path.name} line {first_line}: must be quoted as RFC 4180 says (a quote inside a quoted field is "
            f"doubled), got: {error}"
        ) from None
    finally:
        csv.field_size_limit(previous_limit)


def read_jsonl(path: Path, text: str, label: str) -> Iterator[Row]:
    """Rows of a file with one JSON object a line; blank lines are skipped."""
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        place = f"{path.name} line {number}"
        try:
            content = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{place}: must be one JSON object, got {quote(line)} ({error})") from None
        if not isinstance(content, dict):
            raise UserError(f"{place}: must be one JSON object, got {quote(content)}")
        require_columns(place, list(content), text, label)
        yield Row(place, _require_text(place, content[text]), content[label])


def read_parquet(path: Path, text: str, label: str) -> Iterator[Row]:
    """Rows of a Parquet file; its other columns are not read."""
    try:
        with pq.ParquetFile(path) as file:
            require_columns(path.name, file.schema_arrow.names, text, label)
            number = 0
            for batch in file.iter_batches(columns=[text, label]):
                for text_value, label_value in zip(batch.column(text), batch.column(label), strict=True):
                    number += 1
                    place = f"{path.name} row {number}"
                    content = _to_python(place, text_value)
                    yield Row(place, _require_text(place, content), _to_python(place, label_value))
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path.name}: must be a Parquet file, got: {' '.join(str(error).split())}") from None


def _to_python(place: str, value: Any) -> Any:
    try:
        return value.as_py()
    except UnicodeDecodeError:
        raise UserError(f"{place}: must be UTF-8, got other bytes") from None


def _require_text(place: str, value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise UserError(f"{place}: text must be a string, got {quote(value)}")
    return value
