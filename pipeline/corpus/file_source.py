"""CSV, TSV, JSON, JSONL and Parquet files -> rows.

In: a file source and its path, the columns, a task's labels.  Out: read_file_rows(), list_columns().
Imports: pyarrow, the standard library.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.corpus.delimited import DELIMITERS, Form, Known, choose_quote, find_form, read_delimited
from pipeline.corpus.json_file import list_lines, list_objects, read_json, read_json_lines
from pipeline.corpus.row import Made, Wanted, quote, require_columns
from pipeline.corpus.task_config import FileSource
from pipeline.corpus.text_file import find_encoding
from teacher_cache.errors import UserError

SUFFIXES = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".parquet")
LINES = (".jsonl", ".ndjson")
WORKBOOKS = (".xlsx", ".xls", ".xlsm", ".xlsb", ".ods", ".numbers")


def read_file_rows(
    path: Path, source: FileSource, columns: Wanted[Made], labels: Known
) -> tuple[Iterator[Made], dict[str, str]]:
    """Rows of `path`, read by its suffix, one of SUFFIXES, behind which .gz may stand, and how it is read.

    Args:
        path: an existing file.
        source: what params.yaml says of its form; the rest is guessed.
        columns: the names of the columns.
        labels: by which a reading of quotes is known to be right.

    Raises:
        UserError: another suffix, an empty file, a column that is missing, or a line that cannot be read (named).
    """
    suffix = _find_suffix(path)
    if suffix == ".parquet":
        return read_parquet(path, columns), {}
    encoding = find_encoding(path, source.encoding)
    if suffix == ".json":
        return read_json(path, encoding, columns), {"encoding": encoding}
    if suffix in LINES:
        return read_json_lines(path, encoding, columns), {"encoding": encoding}
    form = _guess_form(path, source, suffix, encoding, columns)
    if source.quote is None and source.escape is None:
        form = choose_quote(path, form, columns, labels)
    return read_delimited(path, form, columns), form.describe()


def list_columns(path: Path, source: FileSource, known: Wanted[Any]) -> list[str]:
    """The names of all columns of `path`; in JSON, those of any of its objects.

    Args:
        path: an existing file.
        source: as read_file_rows takes it.
        known: columns that the file must have.

    Raises:
        UserError: as read_file_rows.
    """
    suffix = _find_suffix(path)
    if suffix == ".parquet":
        with _open_parquet(path) as file:
            return list(file.schema_arrow.names)
    encoding = find_encoding(path, source.encoding)
    if suffix == ".json" or suffix in LINES:
        objects = list_lines(path, encoding) if suffix in LINES else list_objects(path, encoding, known.text)
        if not (names := list(dict.fromkeys(name for _, content in objects for name in content))):
            raise UserError(f"{path.name}: must have rows, got none")
        return names
    form = _guess_form(path, source, suffix, encoding, known)
    return form.read_header(next(form.read_body(path)))


def _find_suffix(path: Path) -> str:
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    if suffix in WORKBOOKS:
        raise UserError(f"{path.name}: a workbook must be saved as CSV (in Excel: CSV UTF-8) and that file named here")
    if suffix not in SUFFIXES:
        raise UserError(f"{path.name}: suffix must be {', '.join(SUFFIXES[:-1])} or .parquet, got {quote(suffix)}")
    return suffix


def _guess_form(path: Path, source: FileSource, suffix: str, encoding: str, columns: Wanted[Any]) -> Form:
    usual = "," if suffix == ".csv" else "\t"
    choice = [source.delimiter or usual, *(() if source.delimiter else DELIMITERS)]
    return find_form(path, Form(encoding, usual, source.quote or '"', source.escape), choice, columns)


def read_parquet(path: Path, columns: Wanted[Made]) -> Iterator[Made]:
    """Rows of a Parquet file; its other columns are not read."""
    with _open_parquet(path) as file:
        require_columns(path.name, file.schema_arrow.names, columns)
        number = 0
        for batch in file.iter_batches(columns=columns.named):
            for values in zip(*(batch.column(name) for name in columns.named), strict=True):
                number += 1
                place = f"{path.name} row {number}"
                cells = {name: _to_python(place, value) for name, value in zip(columns.named, values, strict=True)}
                yield columns.make_row(place, [None if name is None else cells[name] for name in columns])


@contextmanager
def _open_parquet(path: Path) -> Iterator[pq.ParquetFile]:
    """The open file; what Arrow finds wrong with it is the user's to mend."""
    try:
        with pq.ParquetFile(path) as file:
            yield file
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path.name}: must be a Parquet file, got: {' '.join(str(error).split())}") from None


def _to_python(place: str, value: Any) -> Any:
    try:
        return value.as_py()
    except UnicodeDecodeError:
        raise UserError(f"{place}: must be UTF-8, got other bytes") from None
