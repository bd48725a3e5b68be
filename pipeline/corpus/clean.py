"""The door that every text passes: normalised, told apart, counted.

In: (text, class index) rows.  Out: Cleaned, normalise(), make_example_id(), clean().
Imports: NumPy, pyarrow.
"""

import hashlib
import re
import unicodedata
from array import array
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from teacher_cache.schema import EXAMPLE_ID_BYTES

REASONS = ("null", "invalid_characters", "empty", "too_long", "contradicting", "duplicate")
# NUL ends a string in too many libraries, and a lone surrogate (JSON can escape one) is not encodable.
INVALID = re.compile("[\0\ud800-\udfff]")
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


def normalise(text: str) -> str:
    """Unicode NFC with every run of white space made one space and none at the ends; doing it twice changes nothing."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def make_example_id(task: str, text: str) -> bytes:
    """16 bytes that stand for a normalised `text` of `task`, wherever and in whatever order it is read."""
    return hashlib.blake2b(f"{task}\0{text}".encode(), digest_size=EXAMPLE_ID_BYTES).digest()


def clean(task: str, rows: Iterable[tuple[str | None, int]], max_characters: int) -> Cleaned:
    """Normalise texts and drop what cannot be learnt from.

    Args:
        task: part of every id.
        rows: (text, class index), read once.
        max_characters: longest normalised text that is kept.

    Returns:
        What is kept and what is dropped; the two together account for every row, and neither depends on the order of
        the rows.
    """
    drops = Counter(dict.fromkeys(REASONS, 0))
    ids, classes, block = bytearray(), array("i"), []
    blocks: list[pa.Array] = []
    for text, label in rows:
        normalised = None if text is None else normalise(text)
        if reason := _find_fault(normalised, max_characters):
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


def _find_fault(text: str | None, max_characters: int) -> str | None:
    if text is None:
        return "null"
    if not text:
        return "empty"
    if len(text) > max_characters:
        return "too_long"
    return "invalid_characters" if INVALID.search(text) else None
