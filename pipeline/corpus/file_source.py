"""CSV, TSV, JSON, JSONL and Parquet files -> rows.

In: a file source and its path, the columns, a task's labels.  Out: read_file_rows().  Imports: pyarrow, the standard
library.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.corpus.delimited import DELIMITERS, Form, choose_quote, find_form, read_delimited
from pipeline.corpus.json_file import read_json, read_json_lines
from pipeline.corpus.label_names import LabelNames
from pipeline.corpus.row import Columns, Row, quote, require_columns, require_text
from pipeline.corpus.task_config import FileSource
from pipeline.corpus.text_file import find_encoding
from teacher_cache.errors import UserError

SUFFIXES = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".parquet")
WORKBOOKS = (".xlsx", ".xls", ".xlsm", ".xlsb", ".ods", ".numbers")


def read_file_rows(
    path: Path, source: FileSource, columns: Columns, labels: LabelNames
) -> tuple[Iterator[Row], dict[str, str]]:
    """Rows of `path`, read by its suffix, one of SUFFIXES, behind which .gz may stand, and how it is read.

    Args:
        path: an existing file.
        source: what params.yaml says of its form; the rest is guessed.
        columns: the names of the columns.
        labels: by which a reading of quotes is known to be right.

    Raises:
        UserError: another suffix, an empty file, a column that is missing, or a line that cannot be read (named).
    """
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    if suffix in WORKBOOKS:
        raise UserError(f"{path.name}: a workbook must be saved as CSV (in Excel: CSV UTF-8) and that file named here")
    if suffix not in SUFFIXES:
        raise UserError(f"{path.name}: suffix must be {', '.join(SUFFIXES[:-1])} or .parquet, got {quote(suffix)}")
    if suffix == ".parquet":
        return read_parquet(path, columns), {}
    encoding = find_encoding(path, source.encoding)
    if suffix == ".json":
        return read_json(path, encoding, columns), {"encoding": encoding}
    if suffix in {".jsonl", ".ndjson"}:
        return read_json_lines(path, encoding, columns), {"encoding": encoding}
    usual = "," if suffix == ".csv" else "\t"
    choice = [source.delimiter or usual, *(() if source.delimiter else DELIMITERS)]
    form = find_form(path, Form(encoding, usual, source.quote or '"', source.escape), choice, columns)
    if source.quote is None and source.escape is None:
        form = choose_quote(path, form, columns, labels)
    return read_delimited(path, form, columns), form.describe()


def read_parquet(path: Path, columns: Columns) -> Iterator[Row]:
    """Rows of a Parquet file; its other columns are not read."""
    try:
        with pq.ParquetFile(path) as file:
            require_columns(path.name, file.schema_arrow.names, columns)
            number = 0
            for batch in file.iter_batches(columns=columns.named):
                for values in zip(*(batch.column(name) for name in columns.named), strict=True):
                    number += 1
                    place = f"{path.name} row {number}"
                    cells = {name: _to_python(place, value) for name, value in zip(columns.named, values, strict=True)}
                    text, *others = (None if name is None else cells[name] for name in columns)
                    yield Row(place, require_text(place, text), *others)
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path.name}: must be a Parquet file, got: {' '.join(str(error).split())}") from None


def _to_python(place: str, value: Any) -> Any:
    try:
        return value.as_py()
    except UnicodeDecodeError:
        raise UserError(f"{place}: must be UTF-8, got other bytes") from None
