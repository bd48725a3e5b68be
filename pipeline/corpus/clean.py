"""The door that every text passes: normalised, told apart, counted.

In: (text, class index) rows, TextRules.  Out: Cleaned, REASONS, make_example_id(), clean().
Imports: NumPy, pyarrow.
"""

import hashlib
from array import array
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from teacher_cache.schema import EXAMPLE_ID_BYTES
from teacher_cache.text import FAULTS, TextRules

REASONS = (*FAULTS, "contradicting", "duplicate")
# So many texts are Python objects at once; the others lie side by side in Arrow's memory, at a third of the size.
BLOCK_ROWS = 65536


class Cleaned(NamedTuple):
    """Each text that is kept, once, in ascending order of its id; and the rows dropped for each of REASONS.

    ids: (rows,) of dtype V16.  classes: (rows,) int32.  texts: normalised, large strings.
    """

    ids: np.ndarray
    classes: np.ndarray
    texts: pa.ChunkedArray
    drops: Counter[str]


def make_example_id(task: str, text: str) -> bytes:
    """16 bytes that stand for a normalised `text` of `task`, wherever and in whatever order it is read."""
    return hashlib.blake2b(f"{task}\0{text}".encode(), digest_size=EXAMPLE_ID_BYTES).digest()


def clean(task: str, rows: Iterable[tuple[str | None, int]], rules: TextRules) -> Cleaned:
    """Normalise texts and drop what cannot be learnt from.

    Args:
        task: part of every id.
        rows: (text, class index), read once.
        rules: of the texts' normal form, and of which are kept.

    Returns:
        What is kept and what is dropped; the two together account for every row, and neither depends on the order of
        the rows.
    """
    drops = Counter(dict.fromkeys(REASONS, 0))
    ids, classes, block = bytearray(), array("i"), []
    blocks: list[pa.Array] = []
    for text, label in rows:
        normalised = None if text is None else rules.normalise(text)
        if reason := rules.find_fault(normalised):
            drops[reason] += 1
        elif normalised is not None:
            ids += make_example_id(task, normalised)
            classes.append(label)
            block.append(normalised)
        if len(block) == BLOCK_ROWS:
            blocks.append(pa.array(block, pa.large_string()))
            block.clear()
    texts = pa.chunked_array([*blocks, pa.array(block, pa.large_string())])
    return _tell_apart(np.frombuffer(ids, f"V{EXAMPLE_ID_BYTES}"), np.frombuffer(classes, np.int32), texts, drops)


def _tell_apart(ids: np.ndarray, classes: np.ndarray, texts: pa.ChunkedArray, drops: Counter[str]) -> Cleaned:
    """Each text once, but those of which rows say different classes."""
    order = np.argsort(ids)
    ids, classes = ids[order], classes[order]
    starts = np.flatnonzero(np.append(True, ids[1:] != ids[:-1])[: len(ids)])
    counts = np.diff(starts, append=len(ids))
    agreed = np.minimum.reduceat(classes, starts) == np.maximum.reduceat(classes, starts)
    drops["contradicting"] = int(counts[~agreed].sum())
    drops["duplicate"] = int((counts[agreed] - 1).sum())
    kept = starts[agreed]
    return Cleaned(ids[kept], classes[kept], texts.take(order[kept]), drops)
