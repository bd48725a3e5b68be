"""A task's sources -> its texts, labelled and not, as they are.

In: a TaskConfig.  Out: Source, read_source().  Imports: pyarrow; datasets only for a hub source.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from pipeline.corpus.clean import Text
from pipeline.corpus.file_source import read_file_rows
from pipeline.corpus.generated import emotion, hiding, thematic
from pipeline.corpus.hub_source import read_hub_rows
from pipeline.corpus.label_names import LEFT_OUT, UNLABELLED, LabelNames, name_group
from pipeline.corpus.row import Columns, Row, call_block, quote
from pipeline.corpus.task_config import FileSource, GeneratedSource, HubSource, TaskConfig
from teacher_cache.errors import UserError
from teacher_cache.outside import locate
from teacher_cache.schema import NO_LABEL, SPLITS
from teacher_cache.text import normalise_label

TRAIN, POOL = SPLITS.index("train"), SPLITS.index("pool")
# A generator's pool, and what bases are instructed on, have texts of their own: no seed of params.yaml is as large.
POOL_SEED = 2**31
INSTRUCTED_SEED = 2**32

AnySource = GeneratedSource | FileSource | HubSource


@dataclass(frozen=True)
class Source:
    """`rows`, uncleaned, to be read once; `description` is the data card's: no absolute path.

    `drops` counts, as `rows` is read, those that params.yaml leaves out, and those of a given validation or test split
    that have no label.
    """

    rows: Iterator[Text]
    description: dict[str, Any]
    drops: Counter[str] = field(default_factory=Counter)


def read_source(name: str, task: TaskConfig, seed: int, root: Path) -> Source:
    """Open the sources of task `name`; a fault of a row is found when it is read.

    Args:
        name: the task's name, for errors.
        task: where its text comes from and what its classes are called.
        seed: of a generator of this project; files and datasets do not depend on it.
        root: folder that a file source's relative path starts from.

    Raises:
        UserError: the source is missing, unreadable, not the expected file, or has an unknown label.
    """
    labels, drops = LabelNames(task.labels, task.values), Counter[str]()
    rows, description = _open_parts(f"task.{name}.source", task, labels, drops, seed, root)
    description |= {"group": task.group} if task.group else {}
    description |= {"split": task.split.column} if task.split else {}
    if task.pool is not None:
        columns = _name_columns(task.pool, task, pool=True)
        with call_block("pool"):
            more, described = _open(f"task.{name}.pool.path", task.pool, columns, labels, seed + POOL_SEED, root)
        pool = _name_rows(_read_pool(more), task, labels, drops, POOL)
        rows, description = chain(rows, pool), {**description, "pool": described}
    description |= {"labelled": task.labelled} if task.labelled else {}
    return Source(rows, description, drops)


def _read_pool(rows: Iterator[Row]) -> Iterator[Row]:
    with call_block("pool"):
        yield from rows


def _open_parts(
    place: str, task: TaskConfig, labels: LabelNames, drops: Counter[str], seed: int, root: Path
) -> tuple[Iterator[Text], dict[str, Any]]:
    """Rows of the source at `place` of params.yaml, file by file where each split has its own, and what it is."""
    parts = {"": task.source} if isinstance(task.source, GeneratedSource) else task.source.list_parts()
    texts, described = [], {}
    for split, source in parts.items():
        given = SPLITS.index(split) if split else None
        columns = _name_columns(source, task, pool=given == POOL)
        where = f"{place}.path.{split}" if split else f"{place}.path"
        rows, described[split] = _open(where, source, columns, labels, seed, root)
        texts.append(_name_rows(rows, task, labels, drops, given))
    if "" in described:
        return texts[0], described[""]
    return chain(*texts), {"kind": task.source.kind, "splits": described}


def _open(
    place: str, source: AnySource, columns: Columns, labels: LabelNames, seed: int, root: Path
) -> tuple[Iterator[Row], dict[str, Any]]:
    """Rows of one source, and what the data card says of it; `place` is the path's, of a file, in params.yaml."""
    match source:
        case GeneratedSource(generator=generator, rows=count):
            return generate_rows(generator, count, seed), {"kind": "embedded", "generator": generator, "rows": count}
        case FileSource():
            path = find_file(place, source, root)
            digest = check_digest(path, source.sha256)
            rows, form = read_file_rows(path, source, columns, labels)
            return rows, {"kind": "file", "file": path.name, "sha256": digest, **({"read_as": form} if form else {})}
        case HubSource():
            return read_hub_rows(source, columns), {
                "kind": "hub",
                "dataset": Path(source.dataset).name if Path(source.dataset).is_absolute() else source.dataset,
                "name": source.name,
                "revision": source.revision,
                "splits": source.splits,
            }


def _name_columns(source: AnySource, task: TaskConfig, pool: bool) -> Columns:
    """The columns that a source of `task` must have; a pool's labels are not read, and need not be there."""
    if isinstance(source, GeneratedSource):
        return Columns("text", None if pool else "label")
    split = task.split.column if task.split and not pool else ""
    text, label, group, split = map(normalise_label, (source.text, source.label, task.group or "", split))
    return Columns(text, None if pool else label, group or None, split or None)


def _name_rows(
    rows: Iterable[Row], task: TaskConfig, labels: LabelNames, drops: Counter[str], given: int | None
) -> Iterator[Text]:
    """Rows with their classes' indices and their splits', which is `given` for all of them or in their own column."""
    splits = None if task.split is None or given is not None else LabelNames(SPLITS, task.split.values, "split")
    for row in rows:
        split = given if splits is None else splits.find(row.place, row.split)
        if split == UNLABELLED:
            raise UserError(f"{row.place}: split must be one of {', '.join(SPLITS)}, got {quote(row.split)}")
        label = NO_LABEL if split in (POOL, LEFT_OUT) else labels.find(row.place, row.label)
        group = name_group(row.group)
        if LEFT_OUT in (label, split):
            drops["left_out"] += 1
        elif label == NO_LABEL or (label == UNLABELLED and split in (None, TRAIN)):
            yield Text(row.text, NO_LABEL, group, POOL if task.has_splits else None)
        elif label == UNLABELLED:
            drops["unlabelled"] += 1
        else:
            yield Text(row.text, label, group, split)


def generate_rows(generator: str, count: int, seed: int) -> Iterator[Row]:
    """`count` texts of the generator called `generator`."""
    generate = {"emotion": emotion.generate, "hiding": hiding.generate, "thematic": thematic.generate}[generator]
    return (Row(f"generated {generator}", text, label) for text, label in generate(count, seed))


def find_file(place: str, source: FileSource, root: Path) -> Path:
    """The path of a file source; a UserError that names its parameter, `place`, where there is no such file."""
    path = locate(root / Path(str(source.path)).expanduser())
    if not path.is_file():
        raise UserError(f"{place} must be a file, got {source.path} (looked for {path})")
    return path


def check_digest(path: Path, expected: object) -> str:
    """The SHA-256 of `path` in hex; a UserError where it is not the `expected` one."""
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path}: must be readable, got: {error.strerror}") from None
    if expected not in (None, found):
        raise UserError(f"{path.name}: sha256 must be {expected}, got {found}; restore the file or correct the sha256")
    return found
