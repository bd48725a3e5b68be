"""A task's source -> its labelled texts, as they are.

In: a TaskConfig.  Out: Source, read_source().  Imports: pyarrow; datasets only for a hub source.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.corpus.file_source import read_file_rows
from pipeline.corpus.generated import emotion, hiding, thematic
from pipeline.corpus.hub_source import read_hub_rows
from pipeline.corpus.row import Row, name_label
from pipeline.corpus.task_config import FileSource, GeneratedSource, HubSource, TaskConfig
from teacher_cache.errors import UserError
from teacher_cache.outside import locate


@dataclass(frozen=True)
class Source:
    """`rows` are (text, class name), uncleaned, to be read once; `description` is the data card's: no absolute path."""

    rows: Iterator[tuple[str | None, str]]
    description: dict[str, Any]


def read_source(name: str, task: TaskConfig, seed: int, root: Path) -> Source:
    """Open the source of task `name`; a fault of a row is found when it is read.

    Args:
        name: the task's name, for errors.
        task: where its text comes from and what its classes are called.
        seed: of a generator of this project; files and datasets do not depend on it.
        root: folder that a file source's relative path starts from.

    Raises:
        UserError: the source is missing, unreadable, not the expected file, or has an unknown label.
    """
    match task.source:
        case GeneratedSource(generator=generator, rows=count):
            rows = generate_rows(generator, count, seed)
            description: dict[str, Any] = {"kind": "embedded", "generator": generator, "rows": count}
        case FileSource() as source:
            path = find_file(name, source, root)
            rows = read_file_rows(path, source.text, source.label)
            description = {"kind": "file", "file": path.name, "sha256": check_digest(path, source.sha256)}
        case HubSource() as source:
            rows = read_hub_rows(source)
            description = {
                "kind": "hub",
                "dataset": Path(source.dataset).name if Path(source.dataset).is_absolute() else source.dataset,
                "name": source.name,
                "revision": source.revision,
                "splits": source.splits,
            }
    return Source(((row.text, name_label(row, task.labels, task.values)) for row in rows), description)


def generate_rows(generator: str, count: int, seed: int) -> Iterable[Row]:
    """`count` texts of the generator called `generator`."""
    generate = {"emotion": emotion.generate, "hiding": hiding.generate, "thematic": thematic.generate}[generator]
    return (Row(f"generated {generator}", text, label) for text, label in generate(count, seed))


def find_file(name: str, source: FileSource, root: Path) -> Path:
    """The path of a file source; a UserError that names its parameter where there is no such file."""
    path = locate(root / Path(source.path).expanduser())
    if not path.is_file():
        raise UserError(f"task.{name}.source.path must be a file, got {source.path} (looked for {path})")
    return path


def check_digest(path: Path, expected: str | None) -> str:
    """The SHA-256 of `path` in hex; a UserError where it is not the `expected` one."""
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path}: must be readable, got: {error.strerror}") from None
    if expected not in (None, found):
        raise UserError(f"{path.name}: sha256 must be {expected}, got {found}; restore the file or correct the sha256")
    return found
