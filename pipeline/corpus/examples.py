"""A task's sources -> its examples: read, cleaned, split, described.

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
from pipeline.corpus.hidden_labels import hide_labels
from pipeline.corpus.sources import read_source
from pipeline.corpus.split import DROPPED, assign_splits
from pipeline.corpus.task_config import PrepareConfig, TaskConfig
from teacher_cache.errors import UserError
from teacher_cache.schema import (
    EXAMPLE_ID_BYTES,
    EXAMPLES,
    LABELLED_SPLITS,
    NO_LABEL,
    POOLED_EXAMPLES,
    SPLITS,
)

BLOCK_ROWS = 16384
# Texts a class, on average, below which no features can be fitted on the training split.
LEAST_TRAINING = 2


@dataclass(frozen=True)
class Examples:
    """`table` is of schema EXAMPLES, POOLED_EXAMPLES with a pool, sorted by example_id; `labels` are in class order.

    `hidden` are the ids (rows,) of dtype V16, and the classes, of the pool's texts whose label is hidden.
    """

    table: pa.Table
    labels: tuple[str, ...]
    card: dict[str, Any]
    hidden: tuple[np.ndarray, np.ndarray]


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
    unlabelled, least = int(np.sum(classes == NO_LABEL)), LEAST_TRAINING * len(task.labels)
    if unlabelled == len(ids):
        counts = ", ".join(f"{reason} {count}" for reason, count in drops.items() if count) or "none"
        raise UserError(
            f"task {name}: there must be labelled texts left after cleaning, got 0 of {drops.total() + unlabelled} "
            f"(dropped: {counts})" + (f", and {unlabelled} without a label" if unlabelled else "")
        )
    try:
        splits, surplus = _split(cleaned, task, prepare, seed)
        if task.labelled is not None:
            before = splits
            splits = hide_labels(ids, classes, before, task.labels, task.labelled, least, seed)
            surplus |= {"beyond_labelled": int(np.sum((splits == DROPPED) & (before != DROPPED)))}
    except UserError as error:
        raise UserError(f"task {name}: {error}") from None
    if cleaned.splits is not None and not (cleaned.splits == SPLITS.index("validation")).any():
        source.description["validation"] = "drawn from train"
    training = int(np.sum(splits == SPLITS.index("train")))
    if training < least:
        counts = ", ".join(f"{reason} {count}" for reason, count in {**drops, **surplus}.items() if count) or "none"
        raise UserError(
            f"task {name}: there must be {least} texts to train on at least, got {training} (dropped: {counts}); "
            "bring more, or drop fewer (balance: false, a higher limit)"
        )
    kept = np.flatnonzero(splits != DROPPED)
    hidden = np.flatnonzero((splits == SPLITS.index("pool")) & (classes != NO_LABEL))
    table = make_table(ids[kept], splits[kept], classes[kept], _take_texts(cleaned.texts, kept))
    dropped = {**cleaned.drops, **source.drops, **surplus}
    card = make_card(name, task.labels, table, dropped, source.description, len(hidden))
    return Examples(table, tuple(task.labels), card, (ids[hidden], classes[hidden]))


def _split(cleaned: Cleaned, task: TaskConfig, prepare: PrepareConfig, seed: int) -> tuple[np.ndarray, dict[str, int]]:
    """As assign_splits, by what the task says of groups and splits; what has no label is the pool.

    Whose rows are in validation or test has none in the pool: nothing may learn from them.
    """
    known = np.flatnonzero(cleaned.classes != NO_LABEL)
    groups, given = (None if one is None else one[known] for one in (cleaned.groups, cleaned.splits))
    found, surplus = _split_labelled(cleaned.ids[known], cleaned.classes[known], groups, given, task, prepare, seed)
    splits = np.full(len(cleaned.ids), SPLITS.index("pool"), np.int8)
    splits[known] = found
    if groups is not None and cleaned.groups is not None and len(known) < len(splits):
        held_out = groups[np.isin(found, [SPLITS.index("validation"), SPLITS.index("test")])]
        barred = (splits == SPLITS.index("pool")) & np.isin(cleaned.groups, held_out)
        splits[barred] = DROPPED
        surplus |= {"group_held_out": int(barred.sum())}
    return splits, surplus


def _split_labelled(
    ids: np.ndarray,
    classes: np.ndarray,
    groups: np.ndarray | None,
    given: np.ndarray | None,
    task: TaskConfig,
    prepare: PrepareConfig,
    seed: int,
) -> tuple[np.ndarray, dict[str, int]]:
    """As assign_splits, by what the task says of groups and splits."""
    balance = prepare.balance if task.balance is None else task.balance
    ratio = prepare.split
    if given is not None:
        if balance:
            raise UserError("the source's splits must stay as they are; set its balance: false beside its split")
        splits = take_splits(ids, classes, task.labels, given, ratio, seed)
        return splits, {"balance": 0, "limit": 0}
    splits, surplus = assign_splits(ids, classes, task.labels, ratio, balance, task.limit, seed)
    if groups is not None:
        kept = np.flatnonzero(splits != DROPPED)
        splits[kept] = deal_groups(groups[kept], classes[kept], ratio, seed)
        require_classes(splits, classes, task.labels, f"where equal values of {task.group} stay together")
    return splits, surplus


def make_table(ids: np.ndarray, splits: np.ndarray, classes: np.ndarray, texts: pa.ChunkedArray) -> pa.Table:
    """Columns of equal length -> a table of schema EXAMPLES, or of POOLED_EXAMPLES where there is a pool.

    Args:
        ids: (rows,) of dtype V16.
        splits: int8, indices into SPLITS.
        classes: int32; those of the pool are left out.
        texts: strings.
    """
    pool = splits == SPLITS.index("pool")
    # Without one, the file has the bytes that it had when no split was called so.
    names, schema = (SPLITS, POOLED_EXAMPLES) if pool.any() else (LABELLED_SPLITS, EXAMPLES)
    columns = [
        pa.FixedSizeBinaryArray.from_buffers(pa.binary(EXAMPLE_ID_BYTES), len(ids), [None, pa.py_buffer(ids)]),
        pa.DictionaryArray.from_arrays(splits, pa.array(names)),
        pa.array(classes, mask=pool),
        texts,
    ]
    return pa.Table.from_arrays(columns, schema=schema).combine_chunks()


def _take_texts(texts: pa.ChunkedArray, rows: np.ndarray) -> pa.ChunkedArray:
    """The large strings at `rows` as strings, of which one array holds 2 GiB at most."""
    blocks = [rows[start : start + BLOCK_ROWS] for start in range(0, len(rows), BLOCK_ROWS)]
    return pa.chunked_array([texts.take(block).cast(pa.string()).combine_chunks() for block in blocks])
