"""Features that stay in their file because they are too many for memory, and windows of rows to train on.

In: features.parquet, and which of its rows.  Out: StoredValues, open_values(), require_finite(), count_window_rows(),
iter_windows().
Imports: NumPy, pyarrow.

A row group is what is read at once. Training takes the groups in an order of each epoch, holds as many as make a
window, and mixes the rows of a window; while it computes, the next window is read. What is small for every row, its
logits and label, stays in memory: 4 (classes + 1) bytes beside the 4 * dimensions of its features.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from teacher_cache.errors import UserError

if TYPE_CHECKING:
    from student_jax.dataset import Split

GROUP_BYTES = 8 << 20
WINDOW_BYTES = 128 << 20

Item = TypeVar("Item")
# Features, and where their rows stand in the split.
Piece: TypeAlias = tuple[np.ndarray, np.ndarray]


class StoredValues:
    """Feature vectors, (rows, dimensions) float32, of some rows of features.parquet, in the file's order.

    `shape` and len() are an array's; a slice is read when it is asked for. `spans` has the rows of every row group.
    """

    def __init__(self, path: Path, dimensions: int, kept: Sequence[np.ndarray]) -> None:
        """`kept` says of every row group which of its rows are meant, one truth value each."""
        stops = np.cumsum([np.count_nonzero(rows) for rows in kept]).tolist()
        self.path, self._kept = path, kept
        self.spans = [slice(start, stop) for start, stop in zip([0, *stops], stops, strict=False)]
        self.shape = (stops[-1], dimensions)
        self._file = pq.ParquetFile(path, memory_map=True, page_checksum_verification=True)
        self._last: tuple[int, np.ndarray] | None = None

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> np.ndarray:
        start, stop, step = rows.indices(len(self))
        if step != 1:
            raise ValueError(f"step of a slice must be 1, got {step}")
        pieces = [
            self._read_again(group)[max(start - span.start, 0) : stop - span.start]
            for group, span in enumerate(self.spans)
            if span.start < stop and start < span.stop
        ]
        return np.concatenate(pieces) if pieces else np.empty((0, self.shape[1]), np.float32)

    def select(self, rows: np.ndarray) -> "StoredValues":
        """The values of the rows for which `rows`, one truth value each, is true."""
        kept = [mask.copy() for mask in self._kept]
        for mask, span in zip(kept, self.spans, strict=True):
            mask[mask] = rows[span]
        return StoredValues(self.path, self.shape[1], kept)

    def read_group(self, group: int) -> np.ndarray:
        """The values of one row group, (rows, dimensions).

        Raises:
            UserError: the file is damaged, or a value is not finite.
        """
        try:
            column = self._file.read_row_group(group, columns=["features"])["features"].combine_chunks()
        except (pa.ArrowException, OSError) as error:
            raise UserError(f"{self.path} cannot be read: {str(error).splitlines()[0]}; remake or pull it") from None
        values = column.flatten().to_numpy().reshape(-1, self.shape[1])[self._kept[group]]
        require_finite(values, self.path)
        return values

    def _read_again(self, group: int) -> np.ndarray:
        """The same, kept until another group is read: who scores in batches comes for a group many times."""
        if self._last is None or self._last[0] != group:
            self._last = group, self.read_group(group)
        return self._last[1]


def open_values(path: Path, dimensions: int) -> StoredValues:
    """All values of features.parquet, none of them read."""
    metadata = pq.read_metadata(path)
    counts = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
    return StoredValues(path, dimensions, [np.ones(count, bool) for count in counts])


def require_finite(values: np.ndarray, path: Path) -> None:
    """Raise a UserError where a value of `path` is NaN or infinite.

    Raises:
        UserError: one is.
    """
    if not np.isfinite(values).all():
        raise UserError(f"{path}: features must be finite, got NaN or infinity; remake it")


def count_window_rows(dimensions: int, batch: int) -> int:
    """How many rows a window has: as many whole batches as fit into WINDOW_BYTES."""
    return max(1, WINDOW_BYTES // (4 * dimensions) // batch) * batch


def iter_windows(split: "Split", epoch: int, rows: int) -> Iterator["Split"]:
    """Cut a split with stored features into windows of `rows` rows, the last one of fewer, and read one ahead.

    Args:
        split: its features are StoredValues.
        epoch: the order of the row groups depends on it alone, so that seeds can share a window.
        rows: in a window.

    Yields:
        Split, in memory.
    """
    return _read_ahead(_cut_windows(split, epoch, rows))


def _cut_windows(split: "Split", epoch: int, rows: int) -> Iterator["Split"]:
    stored: StoredValues = split.features
    held: list[Piece] = []
    count = 0
    for group in np.random.default_rng(epoch).permutation(len(stored.spans)):
        span = stored.spans[group]
        held.append((stored.read_group(group), np.arange(span.start, span.stop)))
        count += len(held[-1][1])
        while count >= rows:
            window, *held = _cut(split, held, rows)
            count -= rows
            yield window
    if count:
        yield _cut(split, held, count)[0]


def _cut(split: "Split", held: Sequence[Piece], rows: int) -> tuple["Split", Piece]:
    """The first `rows` rows of the pieces, and what is left of them."""
    features, places = (np.concatenate(parts) for parts in zip(*held, strict=True))
    taken = places[:rows]
    window = split._replace(features=features[:rows], logits=split.logits[taken], labels=split.labels[taken], ids=None)
    return window, (features[rows:], places[rows:])


def _read_ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The same items, the next one being made while the caller is busy with one."""
    with ThreadPoolExecutor(1) as maker:
        coming = maker.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = maker.submit(next, items, None)
            yield item
