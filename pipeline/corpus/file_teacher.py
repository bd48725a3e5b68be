"""A file of somebody's answers as a teacher: the three stages of a teacher without its model.

In: FileBase, a task's prepared data.  Out: describe_file_teacher(), read_file_teacher(), FileTeacher,
import_from_texts(), import_from_ids().  Imports: the cache's contract, pyarrow; no torch, no jax.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pipeline.corpus.answer_file import describe_answers, find_answers, gather_answers
from pipeline.corpus.prepared import open_examples, read_labels
from pipeline.params import parse
from teacher_cache.errors import UserError
from teacher_cache.imports.import_config import FileBase
from teacher_cache.imports.importing import Examples, Import, import_answers, read_rows_of, take_rows_of
from teacher_cache.manifest import Manifest
from teacher_cache.text import INVISIBLE, Invisible, normalise

IDENTITY = "identity.json"
BATCH_ROWS = 8192


@dataclass(frozen=True)
class FileTeacher:
    """Where the answers are and how they are read; what they are, by content."""

    base: FileBase
    identity: Mapping[str, Any]

    @property
    def content(self) -> dict[str, Any]:
        """What stage base writes."""
        return {"kind": "file", "read": asdict(self.base), "identity": dict(self.identity)}


def describe_file_teacher(base: FileBase, key: str, labels: list[str]) -> FileTeacher:
    """Find the file, and the columns that `base` asks for; `key` is what params.yaml calls the block.

    Raises:
        UserError: there is no file, it is another, or lacks a column.
    """
    return FileTeacher(base, describe_answers(base, find_answers(base, key), labels))


def read_file_teacher(folder: Path) -> FileTeacher | None:
    """What stage base wrote of a teacher of kind file; None of any other.

    Raises:
        UserError: stage base has not run.
    """
    path = folder / IDENTITY
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} must exist; run stage base") from None
    except ValueError:
        raise UserError(f"{path} must be JSON; run stage base again") from None
    if content["kind"] != "file":
        return None
    return FileTeacher(parse(content["read"], FileBase, path=path), content["identity"])


def import_from_texts(
    teacher: FileTeacher, task: str, name: str, data: Path, rows_per_part: int, work: Path, cache: Path
) -> Manifest:
    """The cache of teacher `name` for the examples in `data`, a folder of stage prepare, joined by text or id.

    Raises:
        UserError: the file has changed, a row breaks a rule, or texts have no answer that must have one.
    """
    examples = read_rows_of(data / "examples.parquet")
    request = Import(task, name, tuple(read_labels(data)), {}, teacher.base.missing, rows_per_part)
    return _import(teacher, request, examples, find_invisible(open_examples(data)), work, cache)


def import_from_ids(
    teacher: FileTeacher, name: str, other: Path, rows_per_part: int, work: Path, cache: Path
) -> Manifest:
    """The same for the examples of another teacher's cache, `other`, joined by id: a member may have no texts.

    Raises:
        UserError: as import_from_texts, or `other` is no cache.
    """
    if teacher.base.example_id is None:
        raise UserError(f"{other} has no texts to be joined by; name the column of example_ids (--example-id)")
    examples, manifest = take_rows_of(other)
    request = Import(manifest.task, name, manifest.labels, {}, teacher.base.missing, rows_per_part)
    return _import(teacher, request, examples, "keep", work, cache)


def find_invisible(examples: pq.ParquetFile) -> Invisible:
    """What became of invisible characters in these texts: kept, where one of them has any.

    Where none has, a text with some is taken for the one that looks the same.
    """
    for batch in examples.iter_batches(BATCH_ROWS, columns=["text"]):
        texts = "\n".join(batch["text"].to_pylist())
        if INVISIBLE.sub(r"\1", texts) != texts:
            return "keep"
    return "drop"


def _import(
    teacher: FileTeacher, request: Import, examples: Examples, invisible: Invisible, work: Path, cache: Path
) -> Manifest:
    base, labels = teacher.base, list(request.labels)
    path = find_answers(base, f"teacher.{request.teacher}.base")
    if describe_answers(base, path, labels) != teacher.identity:
        raise UserError(f"{path} must be as it was when stage base ran; run `dvc repro` again")
    answers = gather_answers(base, path, request.task, labels, examples.ids, partial(normalise, invisible=invisible))
    return import_answers(replace(request, base=teacher.identity), examples, answers, work, cache)
