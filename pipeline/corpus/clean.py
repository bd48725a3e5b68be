"""The door that every text passes: normalised, told apart, counted.

In: Text rows, TextRules.  Out: Text, Cleaned, REASONS, make_example_id(), clean().
Imports: NumPy, pyarrow.
"""

import hashlib
from array import array
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from teacher_cache.schema import EXAMPLE_ID_BYTES, NO_LABEL
from teacher_cache.text import FAULTS, TextRules

REASONS = (*FAULTS, "contradicting", "duplicate")
# So many texts are Python objects at once; the others lie side by side in Arrow's memory, at a third of the size.
BLOCK_ROWS = 65536


class Text(NamedTuple):
    """A row: its class's index, NO_LABEL of the pool, and, where they are given, whose it is and its split's index."""

    text: str | None
    label: int
    group: str | None = None
    split: int | None = None


class Cleaned(NamedTuple):
    """Each text that is kept, once, in ascending order of its id; and the rows dropped for each of REASONS.

    ids: (rows,) of dtype V16.  classes: (rows,) int32, NO_LABEL for the pool.  texts: normalised, large strings.
    groups: (rows,) of dtype V16, equal for what belongs together, or None.  splits: (rows,) int8, as given, or None.
    """

    ids: np.ndarray
    classes: np.ndarray
    texts: pa.ChunkedArray
    drops: Counter[str]
    groups: np.ndarray | None = None
    splits: np.ndarray | None = None


def make_example_id(task: str, text: str) -> bytes:
    """16 bytes that stand for a normalised `text` of `task`, wherever and in whatever order it is read."""
    return hashlib.blake2b(f"{task}\0{text}".encode(), digest_size=EXAMPLE_ID_BYTES).digest()


def clean(task: str, rows: Iterable[Text], rules: TextRules, grouped: bool = False) -> Cleaned:
    """Normalise texts and drop what cannot be learnt from.

    Args:
        task: part of every id.
        rows: read once; all of them have a split, or none has.
        rules: of the texts' normal form, and of which are kept.
        grouped: whether groups are told apart; a row without one is a group by itself.

    Returns:
        What is kept and what is dropped; the two together account for every row, and neither depends on the order of
        the rows.
    """
    drops = Counter(dict.fromkeys(REASONS, 0))
    ids, classes, block = bytearray(), array("i"), []
    blocks: list[pa.Array] = []
    groups, splits = bytearray(), array("b")
    for text, label, group, split in rows:
        normalised = None if text is None else rules.normalise(text)
        if reason := rules.find_fault(normalised):
            drops[reason] += 1
        elif normalised is not None:
            ids += make_example_id(task, normalised)
            classes.append(label)
            block.append(normalised)
            if grouped:
                groups += ids[-EXAMPLE_ID_BYTES:] if group is None else make_example_id("group", group)
            if split is not None:
                splits.append(split)
        if len(block) == BLOCK_ROWS:
            blocks.append(pa.array(block, pa.large_string()))
            block.clear()
    kind = f"V{EXAMPLE_ID_BYTES}"
    return _tell_apart(
        Cleaned(
            np.frombuffer(ids, kind),
            np.frombuffer(classes, np.int32),
            pa.chunked_array([*blocks, pa.array(block, pa.large_string())]),
            drops,
            np.frombuffer(groups, kind) if grouped else None,
            np.frombuffer(splits, np.int8) if splits else None,
        )
    )


def _tell_apart(rows: Cleaned) -> Cleaned:
    """Each text once, but those of which rows say different classes.

    Of rows with one text those with a label go first, so that the pool has no labelled text. Then the first group by
    its hash has it, and of splits the last: a test stays whole.
    """
    drops, order = rows.drops, _sort(rows)
    ids, classes = rows.ids[order], rows.classes[order]
    starts = np.flatnonzero(np.append(True, ids[1:] != ids[:-1])[: len(ids)])
    counts = np.diff(starts, append=len(ids))
    least = np.minimum.reduceat(np.where(classes == NO_LABEL, np.iinfo(np.int32).max, classes), starts)
    most = np.maximum.reduceat(classes, starts)
    agreed = (least == most) | (most == NO_LABEL)
    drops["contradicting"] = int(counts[~agreed].sum())
    drops["duplicate"] = int((counts[agreed] - 1).sum())
    kept = starts[agreed]
    groups, splits = (None if one is None else one[order[kept]] for one in (rows.groups, rows.splits))
    return Cleaned(ids[kept], classes[kept], rows.texts.take(order[kept]), drops, groups, splits)


def _sort(rows: Cleaned) -> np.ndarray:
    """The order by ids and, within one, such that the first row has the text's label, group and split."""
    unlabelled = rows.classes == NO_LABEL
    if rows.groups is None and rows.splits is None and not unlabelled.any():
        return np.argsort(rows.ids)
    keys = [] if rows.groups is None else [*rows.groups.view(">u8").reshape(-1, 2).T[::-1]]
    keys += [] if rows.splits is None else [-rows.splits]
    return np.lexsort([*keys, unlabelled, *rows.ids.view(">u8").reshape(-1, 2).T[::-1]])
