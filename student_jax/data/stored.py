"""Features that stay in their file because they are too many for memory; a row group is what is read at once.

In: features.parquet, and which of its rows.  Out: StoredValues, open_values(), require_finite().
Imports: NumPy, pyarrow.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from student_jax.data.decoded_rows import DecodedRows
from teacher_cache.errors import UserError

GROUP_BYTES = 8 << 20


class StoredValues:
    """Feature vectors, (rows, dimensions) float32, of some rows of features.parquet, in the file's order.

    `shape` and len() are an array's; a slice, or rows by their numbers, are read when they are asked for. `spans` has
    the rows of every row group.
    """

    def __init__(self, path: Path, dimensions: int, kept: Sequence[np.ndarray]) -> None:
        """`kept` says of every row group which of its rows are meant, one truth value each."""
        stops = np.cumsum([np.count_nonzero(rows) for rows in kept]).tolist()
        self.path, self._kept = path, kept
        self.spans = [slice(start, stop) for start, stop in zip([0, *stops], stops, strict=False)]
        self.shape = (stops[-1], dimensions)
        self._file = pq.ParquetFile(path, page_checksum_verification=True)
        self._last: tuple[int, np.ndarray] | None = None
        self._decoded: DecodedRows | None = None

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        """The values of a slice of rows, or of the rows with these numbers."""
        if not isinstance(rows, slice):
            return self._take(rows)
        start, stop, step = rows.indices(len(self))
        if step != 1:
            raise ValueError(f"step of a slice must be 1, got {step}")
        pieces = [
            self._read_again(group)[max(start - span.start, 0) : stop - span.start]
            for group, span in enumerate(self.spans)
            if span.start < stop and start < span.stop
        ]
        return np.concatenate(pieces) if pieces else np.empty((0, self.shape[1]), np.float32)

    def __array__(self, dtype: object = None, copy: bool | None = None) -> np.ndarray:
        """Who asks for all of them at once has no way to train or to score row by row.

        Raises:
            UserError: always.
        """
        raise UserError(
            f"{self.path} must fit into memory for this, got {len(self)} rows of {self.shape[1]} features; "
            "lower embed.dimensions or the task's limit"
        )

    def select(self, rows: np.ndarray) -> "StoredValues":
        """The values of the rows for which `rows`, one truth value each, is true."""
        kept = [mask.copy() for mask in self._kept]
        for mask, span in zip(kept, self.spans, strict=True):
            mask[mask] = rows[span]
        return StoredValues(self.path, self.shape[1], kept)

    def merge(self, other: "StoredValues") -> tuple["StoredValues", np.ndarray]:
        """The rows of both, none of which both have, in the file's order.

        Returns:
            The values, and where each row stands among the rows of `self` and, behind them, of `other`.
        """
        places = [np.flatnonzero(np.concatenate(values._kept)) for values in (self, other)]
        kept = [own | others for own, others in zip(self._kept, other._kept, strict=True)]
        return StoredValues(self.path, self.shape[1], kept), np.argsort(np.concatenate(places))

    def read_group(self, group: int) -> np.ndarray:
        """The values of one row group, (rows, dimensions); decoded once.

        Raises:
            UserError: the file is damaged, or a value is not finite.
        """
        self._decoded = self._decoded or DecodedRows(self.path, self.shape)
        found = self._decoded.find(self.spans[group])
        if found is None:
            found = self._decode_group(group)
            self._decoded.keep(self.spans[group], found)
        return found

    def _decode_group(self, group: int) -> np.ndarray:
        try:
            column = self._file.read_row_group(group, columns=["features"])["features"].combine_chunks()
        except (pa.ArrowException, OSError) as error:
            raise UserError(f"{self.path} cannot be read: {str(error).splitlines()[0]}; remake or pull it") from None
        values = column.flatten().to_numpy().reshape(-1, self.shape[1])[self._kept[group]]
        require_finite(values, self.path)
        return values

    def _take(self, rows: np.ndarray) -> np.ndarray:
        groups = np.searchsorted([span.stop for span in self.spans], rows, side="right")
        values = np.empty((len(rows), self.shape[1]), np.float32)
        for group in np.unique(groups).tolist():
            own = groups == group
            values[own] = self._read_again(group)[rows[own] - self.spans[group].start]
        return values

    def _read_again(self, group: int) -> np.ndarray:
        """The same, kept until another group is read: who scores in batches comes for a group many times."""
        last = self._last  # at once: another thread may read another group
        if last is None or last[0] != group:
            self._last = last = group, self.read_group(group)
        return last[1]


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
