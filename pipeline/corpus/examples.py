"""A task's source -> its examples: read, cleaned, split, described.

In: a TaskConfig.  Out: Examples, build_examples(), make_table().  Imports: pyarrow, numpy; no torch, no jax.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.corpus.card import make_card
from pipeline.corpus.clean import Cleaned, clean
from pipeline.corpus.given_split import deal_groups, require_classes, take_splits
from pipeline.corpus.sources import read_source
from pipeline.corpus.split import DROPPED, assign_splits
from pipeline.corpus.task_config import PrepareConfig, TaskConfig
from teacher_cache.errors import UserError
from teacher_cache.schema import EXAMPLE_ID_BYTES, EXAMPLES, LABELLED_SPLITS, SPLITS

BLOCK_ROWS = 16384
# Texts a class, on average, below which no features can be fitted on the training split.
LEAST_TRAINING = 2


@dataclass(frozen=True)
class Examples:
    """`table` is of schema EXAMPLES, sorted by example_id; `labels` are the class names in class order."""

    table: pa.Table
    labels: tuple[str, ...]
    card: dict[str, Any]


def build_examples(name: str, task: TaskConfig, prepare: PrepareConfig, seed: int, root: Path) -> Examples:
    """Read, clean and split task `name`; the same rows in any order give the same examples.

    Args:
        name: the task; it is part of every example_id.
        task: source and classes.
        prepare: cleaning and splitting.
        seed: of the split, of what is dropped, and of a generator of this project.
        root: folder that a file source's relative path starts from.

    Raises:
        UserError: the source cannot be read, or too little is left of it.
    """
    source = read_source(name, task, seed, root)
    cleaned = clean(name, source.rows, prepare.rules, grouped=task.group is not None)
    ids, classes, drops = cleaned.ids, cleaned.classes, cleaned.drops + source.drops
    if not len(ids):
        counts = ", ".join(f"{reason} {count}" for reason, count in drops.items() if count) or "none"
        raise UserError(
            f"task {name}: there must be texts left after cleaning, got 0 of {drops.total()} (dropped: {counts})"
        )
    try:
        splits, surplus = _split(cleaned, task, prepare, seed)
    except UserError as error:
        raise UserError(f"task {name}: {error}") from None
    training, least = int(np.sum(splits == SPLITS.index("train"))), LEAST_TRAINING * len(task.labels)
    if training < least:
        counts = ", ".join(f"{reason} {count}" for reason, count in {**drops, **surplus}.items() if count) or "none"
        raise UserError(
            f"task {name}: there must be {least} texts to train on at least, got {training} (dropped: {counts}); "
            "bring more, or drop fewer (balance: false, a higher limit)"
        )
    kept = np.flatnonzero(splits != DROPPED)
    table = make_table(ids[kept], splits[kept], classes[kept], _take_texts(cleaned.texts, kept))
    card = make_card(name, task.labels, table, {**cleaned.drops, **source.drops, **surplus}, source.description)
    return Examples(table, tuple(task.labels), card)


def _split(cleaned: Cleaned, task: TaskConfig, prepare: PrepareConfig, seed: int) -> tuple[np.ndarray, dict[str, int]]:
    """As assign_splits, by what the task says of groups and splits."""
    balance = prepare.balance if task.balance is None else task.balance
    ids, classes, ratio = cleaned.ids, cleaned.classes, prepare.split
    if cleaned.splits is not None:
        if balance:
            raise UserError("the source's splits must stay as they are; set its balance: false beside its split")
        splits = take_splits(ids, classes, task.labels, cleaned.splits, ratio, seed)
        return splits, {"balance": 0, "limit": 0}
    splits, surplus = assign_splits(ids, classes, task.labels, ratio, balance, task.limit, seed)
    if cleaned.groups is not None:
        kept = np.flatnonzero(splits != DROPPED)
        splits[kept] = deal_groups(cleaned.groups[kept], classes[kept], ratio, seed)
        require_classes(splits, classes, task.labels, f"where equal values of {task.group} stay together")
    return splits, surplus


def make_table(ids: np.ndarray, splits: np.ndarray, classes: np.ndarray, texts: pa.ChunkedArray) -> pa.Table:
    """Columns of equal length -> a table of schema EXAMPLES.

    Args:
        ids: (rows,) of dtype V16.
        splits: int8, indices into SPLITS.
        classes: int32.
        texts: strings.
    """
    columns = [
        pa.FixedSizeBinaryArray.from_buffers(pa.binary(EXAMPLE_ID_BYTES), len(ids), [None, pa.py_buffer(ids)]),
        pa.DictionaryArray.from_arrays(splits, pa.array(LABELLED_SPLITS)),
        pa.array(classes),
        texts,
    ]
    return pa.Table.from_arrays(columns, schema=EXAMPLES).combine_chunks()


def _take_texts(texts: pa.ChunkedArray, rows: np.ndarray) -> pa.ChunkedArray:
    """The large strings at `rows` as strings, of which one array holds 2 GiB at most."""
    blocks = [rows[start : start + BLOCK_ROWS] for start in range(0, len(rows), BLOCK_ROWS)]
    return pa.chunked_array([texts.take(block).cast(pa.string()).combine_chunks() for block in blocks])
