"""A task's source -> its labelled texts, as they are.

In: a TaskConfig.  Out: Source, read_source().  Imports: pyarrow; datasets only for a hub source.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.corpus.clean import Text
from pipeline.corpus.file_source import read_file_rows
from pipeline.corpus.generated import emotion, hiding, thematic
from pipeline.corpus.hub_source import read_hub_rows
from pipeline.corpus.label_names import LEFT_OUT, UNLABELLED, LabelNames
from pipeline.corpus.row import Columns, Row, quote
from pipeline.corpus.task_config import FileSource, GeneratedSource, HubSource, TaskConfig
from teacher_cache.errors import UserError
from teacher_cache.outside import locate
from teacher_cache.schema import LABELLED_SPLITS
from teacher_cache.text import normalise_label


@dataclass(frozen=True)
class Source:
    """`rows`, uncleaned, to be read once; `description` is the data card's: no absolute path.

    `drops` counts, as `rows` is read, those that have no label, and those that params.yaml leaves out.
    """

    rows: Iterator[Text]
    description: dict[str, Any]
    drops: Counter[str] = field(default_factory=Counter)


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
    columns, labels = name_columns(task), LabelNames(task.labels, task.values)
    match task.source:
        case GeneratedSource(generator=generator, rows=count):
            rows = generate_rows(generator, count, seed)
            description: dict[str, Any] = {"kind": "embedded", "generator": generator, "rows": count}
        case FileSource() as source:
            path = find_file(name, source, root)
            digest = check_digest(path, source.sha256)
            rows, form = read_file_rows(path, source, columns, labels)
            description = {"kind": "file", "file": path.name, "sha256": digest, **({"read_as": form} if form else {})}
        case HubSource() as source:
            rows = read_hub_rows(source, columns)
            description = {
                "kind": "hub",
                "dataset": Path(source.dataset).name if Path(source.dataset).is_absolute() else source.dataset,
                "name": source.name,
                "revision": source.revision,
                "splits": source.splits,
            }
    description |= {"group": task.group} if task.group else {}
    description |= {"split": task.split.column} if task.split else {}
    drops: Counter[str] = Counter()
    return Source(_name_rows(rows, task, labels, drops), description, drops)


def name_columns(task: TaskConfig) -> Columns:
    """The columns that the source of `task` must have."""
    if isinstance(task.source, GeneratedSource):
        return Columns("text", "label")
    named = (task.source.text, task.source.label, task.group or "", task.split.column if task.split else "")
    text, label, group, split = map(normalise_label, named)
    return Columns(text, label, group or None, split or None)


def _name_rows(rows: Iterable[Row], task: TaskConfig, labels: LabelNames, drops: Counter[str]) -> Iterator[Text]:
    splits = None if task.split is None else LabelNames(LABELLED_SPLITS, task.split.values, "split")
    for row in rows:
        label = labels.find(row.place, row.label)
        split = None if splits is None else splits.find(row.place, row.split)
        if split == UNLABELLED:
            raise UserError(f"{row.place}: split must be one of {', '.join(LABELLED_SPLITS)}, got {quote(row.split)}")
        if LEFT_OUT in (label, split):
            drops["left_out"] += 1
        elif label == UNLABELLED:
            drops["unlabelled"] += 1
        else:
            group = None if row.group is None or not str(row.group).strip() else str(row.group).strip()
            yield Text(row.text, label, group, split)


def generate_rows(generator: str, count: int, seed: int) -> Iterator[Row]:
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
