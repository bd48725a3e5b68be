"""Windows of rows to train on, cut from a split whose features stay in their file.

In: a Split.  Out: Windows.  Imports: NumPy.

An epoch takes the file's row groups in an order of its own, holds as many as make a window, and mixes the rows of a
window; while one is trained on, the next is read. What is small for every row, its logits and label, stays in memory:
4 (classes + 1) bytes beside the 4 * dimensions of its features.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias, TypeVar

import numpy as np

from student_jax.data.dataset import Split
from student_jax.data.stored import StoredValues

WINDOW_BYTES = 128 << 20

Item = TypeVar("Item")
# Features, and where their rows stand in the split.
Piece: TypeAlias = tuple[np.ndarray, np.ndarray]


class Windows:
    """What an epoch trains on, window by window; a split in memory is one window."""

    def __init__(self, split: Split, batch: int, load: Callable[[Split], Split]) -> None:
        """Take a split of which `load` brings a window, which is in memory, to where it is trained on."""
        self._split, self._load, self._batch = split, load, batch
        self._rows = max(1, WINDOW_BYTES // (4 * split.features.shape[1]) // batch) * batch
        self._whole = None if isinstance(split.features, StoredValues) else load(split)

    def iterate(self, epoch: int) -> Iterator[Split]:
        """Yield windows of `WINDOW_BYTES` at most, whole batches all but the last, which has one at least.

        The order of the row groups depends on `epoch` alone, so that seeds can share a window.
        """
        if self._whole is not None:
            yield self._whole
            return
        for window in _read_ahead(_cut_windows(self._split, epoch, self._rows)):
            if len(window.labels) >= self._batch:
                yield self._load(window)


def _cut_windows(split: Split, epoch: int, rows: int) -> Iterator[Split]:
    stored: StoredValues = split.features
    held: list[Piece] = []
    count = 0
    for group in np.random.default_rng(epoch).permutation(len(stored.spans)).tolist():
        span = stored.spans[group]
        held.append((stored.read_group(group), np.arange(span.start, span.stop)))
        count += len(held[-1][1])
        while count >= rows:
            window, *held = _cut(split, held, rows)
            count -= rows
            yield window
    if count:
        yield _cut(split, held, count)[0]


def _cut(split: Split, held: Sequence[Piece], rows: int) -> tuple[Split, Piece]:
    """The first `rows` rows of the pieces, and what is left of them."""
    features, places = (np.concatenate(parts) for parts in zip(*held, strict=True))
    taken = places[:rows]
    known = None if split.known is None else split.known[taken]
    window = Split(features[:rows], split.logits[taken], split.labels[taken], known=known)
    return window, (features[rows:], places[rows:])


def _read_ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The same items, the next one being made while the caller is busy with one."""
    with ThreadPoolExecutor(1) as maker:
        coming = maker.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = maker.submit(next, items, None)
            yield item
