"""A task's source -> its examples: read, cleaned, split, described.

In: a TaskConfig.  Out: Examples, build_examples().  Imports: pyarrow, numpy; no torch, no jax.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.corpus.card import make_card
from pipeline.corpus.clean import clean, make_example_id
from pipeline.corpus.sources import read_source
from pipeline.corpus.split import assign_splits
from pipeline.corpus.task_config import PrepareConfig, TaskConfig
from teacher_cache.errors import UserError
from teacher_cache.schema import EXAMPLES, SPLITS


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
        seed: of the split, of what is dropped, and of an embedded generator.
        root: folder that a file source's relative path starts from.

    Raises:
        UserError: the source cannot be read, or too little is left of it.
    """
    source = read_source(name, task, seed, root)
    label_of, drops = clean(source.rows, prepare.max_characters)
    if not label_of:
        counts = ", ".join(f"{reason} {count}" for reason, count in drops.items() if count) or "none"
        raise UserError(
            f"task {name}: there must be texts left after cleaning, got 0 of {len(source.rows)} (dropped: {counts})"
        )
    text_of = {make_example_id(name, text): text for text in label_of}
    ids_by_class = {
        label: [example_id for example_id, text in text_of.items() if label_of[text] == label] for label in task.labels
    }
    try:
        split_of, surplus = assign_splits(ids_by_class, prepare.split, prepare.balance, task.limit, seed)
    except UserError as error:
        raise UserError(f"task {name}: {error}") from None
    ids = sorted(split_of)
    texts = [text_of[example_id] for example_id in ids]
    classes = [task.labels.index(label_of[text]) for text in texts]
    table = make_table(ids, [split_of[example_id] for example_id in ids], classes, texts)
    card = make_card(name, task.labels, table, {**drops, **surplus}, source.description)
    return Examples(table, tuple(task.labels), card)


def make_table(ids: Sequence[bytes], splits: Sequence[str], classes: Sequence[int], texts: Sequence[str]) -> pa.Table:
    """Columns of equal length -> a table of schema EXAMPLES."""
    codes = np.asarray([SPLITS.index(split) for split in splits], dtype=np.int8)
    return pa.Table.from_arrays(
        [
            pa.array(ids, EXAMPLES.field("example_id").type),
            pa.DictionaryArray.from_arrays(codes, pa.array(SPLITS)),
            pa.array(classes, pa.int32()),
            pa.array(texts, pa.string()),
        ],
        schema=EXAMPLES,
    )
