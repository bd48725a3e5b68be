"""Windows of rows to train on, cut from a split whose features stay in their file.

In: a Split.  Out: Windows.  Imports: NumPy.

An epoch takes the file's row groups in an order of its own, holds as many as make a window, and mixes the rows of a
window; while one is trained on, the next is read. What is small for every row, its logits and label, stays in memory:
4 (classes + 1) bytes beside the 4 * dimensions of its features.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from student_jax.data.dataset import Split
from student_jax.data.stored import StoredValues

WINDOW_BYTES = 128 << 20


class Windows:
    """What each epoch trains on, window by window; a split in memory is one window."""

    def __init__(self, split: Split, batch: int, load: Callable[[Split], Split]) -> None:
        """Take a split of which `load` brings a window, which is in memory, to where it is trained on."""
        self._split, self._load, self._batch = split, load, batch
        self._whole = None if isinstance(split.features, StoredValues) else load(split)
        self._reader = ThreadPoolExecutor(1)
        self._begun: dict[int, Future[Split]] = {}  # epoch -> its first window, as soon as it is read

    def iterate(self, epoch: int) -> Iterator[Split]:
        """Yield windows of `WINDOW_BYTES` at most, whole batches all but the last, which has one at least.

        The order of the row groups depends on `epoch` alone, so that seeds can share a window. While the last window of
        an epoch is trained on, the first of the next epoch is read.
        """
        if self._whole is not None:
            yield self._whole
            return
        first, *others = self._plan(epoch)
        coming = self._begun.pop(epoch, None) or self._begin_to_read(first)
        for spans in [*others, self._plan(epoch + 1)[0]]:
            window, coming = coming.result(), self._begin_to_read(spans)
            yield self._load(window)
        self._begun = {epoch + 1: coming}

    def _plan(self, epoch: int) -> list[list[slice]]:
        """Which rows each window of an epoch has."""
        spans = self._split.features.spans
        order = np.random.default_rng(epoch).permutation(len(spans)).tolist()
        size = max(1, WINDOW_BYTES // (4 * self._split.features.shape[1]) // self._batch) * self._batch
        windows: list[list[slice]] = [[]]
        room = size
        for start, stop in ((spans[group].start, spans[group].stop) for group in order):
            while stop - start >= room:
                windows[-1].append(slice(start, start + room))
                windows.append([])
                start, room = start + room, size
            windows[-1].append(slice(start, stop))
            room -= stop - start
        return windows if size - room >= self._batch else windows[:-1]

    def _begin_to_read(self, spans: Sequence[slice]) -> "Future[Split]":
        return self._reader.submit(_read, self._split, spans)


def _read(split: Split, spans: Sequence[slice]) -> Split:
    """The rows of the spans, one behind the other."""
    taken = np.concatenate([np.arange(span.start, span.stop) for span in spans])
    features, done = _allocate(len(taken), split.features.shape[1]), 0
    for span in spans:
        features[done : done + span.stop - span.start] = split.features[span]
        done += span.stop - span.start
    known = None if split.known is None else split.known[taken]
    return Split(features, split.logits[taken], split.labels[taken], known=known)


def _allocate(rows: int, dimensions: int) -> np.ndarray:
    """Room where JAX trains on it without a copy: on a CPU, at an address that 64 divides."""
    room = np.empty(rows * dimensions + 16, np.float32)
    start = -room.ctypes.data % 64 // 4
    return room[start : start + rows * dimensions].reshape(rows, dimensions)
