"""Somebody's file of answers -> what it is, and its rows, a number for each class.

In: FileBase, a task and its labels.  Out: find_answers(), describe_answers(), gather_answers().
Imports: pyarrow, NumPy; no torch, no jax.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.corpus.answer_cells import read_answer, read_number
from pipeline.corpus.answer_columns import AnswerColumns, ClassNames, find_columns
from pipeline.corpus.clean import make_example_id
from pipeline.corpus.file_source import list_columns, read_file_rows
from pipeline.corpus.row import call_block, quote
from pipeline.corpus.sources import check_digest
from pipeline.corpus.task_config import FileSource
from teacher_cache.errors import UserError
from teacher_cache.imports.gathering import Gathering, Row, Rules
from teacher_cache.imports.import_config import FileBase
from teacher_cache.outside import locate
from teacher_cache.schema import EXAMPLE_ID_BYTES
from teacher_cache.text import normalise_label

# What says how the file is read; all else of FileBase says what it means, and is its identity.
FORM = ("path", "encoding", "delimiter", "quote", "escape")
# Of no text: a row that has none is of no example.
NOBODY = bytes(EXAMPLE_ID_BYTES)


@dataclass(frozen=True)
class _Cells:
    """What can be the first cell of an answer: by this, a reading of quotes is known to be right."""

    base: FileBase
    classes: ClassNames

    def knows(self, value: str) -> bool:
        if self.base.numbers == "label":
            return self.classes.names.knows(value)
        if self.base.column is not None:
            return value.strip()[:1] in {"[", "{"}
        try:
            return read_number("", value, self.base.numbers) is not None
        except UserError:
            return False


def find_answers(base: FileBase, key: str) -> Path:
    """The file; `key` is what params.yaml calls the block.

    Raises:
        UserError: there is none.
    """
    path = locate(base.path)
    if not path.is_file():
        raise UserError(f"{key}.path must be a file, got {base.path} (looked for {path})")
    return path


def describe_answers(base: FileBase, path: Path, labels: Sequence[str]) -> dict[str, Any]:
    """The file's identity: its SHA-256, what its columns mean, who is said to have made it.

    Raises:
        UserError: it is not the file that was pinned, or lacks a column.
    """
    with _worded():
        identity = {name: value for name, value in asdict(base).items() if name not in FORM}
        identity["sha256"] = check_digest(path, base.sha256)
        identity["columns"] = list(_find_columns(base, path, ClassNames(labels, base.classes)))
    return identity


def gather_answers(
    base: FileBase, path: Path, task: str, labels: Sequence[str], ids: np.ndarray, normalise: Callable[[str], str]
) -> Gathering:
    """The answers of the examples called `ids`, V16 in rising order.

    Args:
        base: what the file means.
        path: where it is.
        task: whose examples they are; it is a part of their ids.
        labels: class names in class order.
        ids: of the examples.
        normalise: gives a text the form that the examples' texts have.

    Raises:
        UserError: a row breaks a rule; with its line.
    """
    with _worded():
        rows = _read_rows(base, path, ClassNames(labels, base.classes))
        kind = "probabilities" if base.numbers == "label" else base.numbers
        gathering: Gathering | None = None
        for place, key, values, elsewhere in rows:
            where, _, number = place.rpartition(" ")
            if gathering is None:
                gathering = Gathering(where, ids, len(labels), Rules(kind, base.sums, base.tolerance))
            example_id = _read_id(place, key) if base.example_id else _make_id(place, key, task, normalise)
            gathering.add(Row(int(number), example_id, values, elsewhere))
        if gathering is None:
            raise UserError(f"{path.name}: must have rows, got none")
        gathering.finish()
    return gathering


def _read_rows(base: FileBase, path: Path, classes: ClassNames) -> Iterator[tuple[str, Any, Any, float]]:
    columns = _find_columns(base, path, classes)
    rows, _ = read_file_rows(path, _make_source(base), columns, _Cells(base, classes))
    for place, key, cells in rows:
        yield place, key, *read_answer(place, cells, base, classes)


def _find_columns(base: FileBase, path: Path, classes: ClassNames) -> AnswerColumns:
    key = normalise_label(base.example_id or base.text)
    names = list_columns(path, _make_source(base), AnswerColumns(key, ()))
    return find_columns(path.name, names, base, classes)


def _make_source(base: FileBase) -> FileSource:
    form: Mapping[str, Any] = {name: getattr(base, name) for name in FORM}
    return FileSource(kind="file", **form)


def _make_id(place: str, text: Any, task: str, normalise: Callable[[str], str]) -> bytes:
    if text is None:
        return NOBODY
    if not isinstance(text, str):
        raise UserError(f"{place}: text must be a string, got {quote(text)}")
    try:
        return make_example_id(task, normalise(text))
    except UnicodeEncodeError:  # half of a surrogate pair, which no example has
        return NOBODY


def _read_id(place: str, value: Any) -> bytes:
    """16 bytes, or as many as 32 hex digits."""
    try:
        found = bytes.fromhex(value) if isinstance(value, str) else value
    except ValueError:
        found = None
    if not isinstance(found, bytes) or len(found) != EXAMPLE_ID_BYTES:
        raise UserError(
            f"{place}: example_id must be {2 * EXAMPLE_ID_BYTES} hex digits or 16 bytes, got {quote(value)}"
        )
    return found


@contextmanager
def _worded() -> Iterator[None]:
    """What the readers of a task's source advise, as it is called here."""
    try:
        with call_block("base"):
            yield
    except UserError as error:
        raise UserError(
            str(error).replace("the task's values", "base.classes").replace("base.label", "base.column")
        ) from None
