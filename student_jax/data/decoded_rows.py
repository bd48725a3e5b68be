"""Rows that were decoded once, as bare numbers in a file without a name, which ends with the process.

In: the features' file and rows decoded from it.  Out: DecodedRows.  Imports: NumPy.

To decode Parquet's lists takes a core some 13 ns a number, and to read bare numbers back less than one.
"""

import os
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import IO

import numpy as np


class DecodedRows:
    """The rows of spans that were kept, on the disk of the features' file; none where that has no room for them."""

    def __init__(self, path: Path, shape: tuple[int, int]) -> None:
        """`path` is the features' file, `shape` that of all rows which may be kept."""
        self._width, self._spans = shape[1], set[tuple[int, int]]()
        self._file: IO[bytes] | None = None
        try:
            if shutil.disk_usage(path.parent).free < 2 * 4 * shape[0] * shape[1]:  # half is left to others
                return
            self._file = tempfile.TemporaryFile(dir=path.parent, buffering=0)  # noqa: SIM115 (open as long as this lives)
        except OSError:  # a folder that may not be written to
            return
        weakref.finalize(self, self._file.close)

    def keep(self, span: slice, values: np.ndarray) -> None:
        """Keep the rows of `span`, (rows, dimensions) float32."""
        if self._file is None:
            return
        try:
            written = os.pwrite(self._file.fileno(), np.ascontiguousarray(values).data, self._place(span))
        except OSError:
            written = -1
        if written == values.nbytes:
            self._spans.add((span.start, span.stop))
            return
        self._file.close()  # others have filled the disk: they need what this has of it more
        self._file = None

    def find(self, span: slice) -> np.ndarray | None:
        """The rows of `span`, None where they were not kept."""
        if self._file is None or (span.start, span.stop) not in self._spans:
            return None
        values = np.empty((span.stop - span.start, self._width), np.float32)
        try:
            read = os.preadv(self._file.fileno(), [values.data], self._place(span))
        except OSError:
            return None
        return values if read == values.nbytes else None

    def _place(self, span: slice) -> int:
        return 4 * self._width * span.start
