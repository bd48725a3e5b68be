"""The vectors that the user brings: a Parquet file of example ids and vectors, of any model and any making.

In: EmbedConfig, a task, the ids of its examples.  Out: VectorFile, take_vectors(), open_vectors().
Imports: NumPy, pyarrow.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from student_jax.config import EmbedConfig
from student_jax.data.embedder import Embedder
from student_jax.data.file_features import fit_file
from teacher_cache.errors import UserError
from teacher_cache.manifest import hash_file
from teacher_cache.outside import locate
from teacher_cache.reader import ids_to_numpy
from teacher_cache.schema import EXAMPLE_ID_BYTES

# Of the user's vectors as many are held at once, beside BATCH_ROWS as they are read, BUFFER_BYTES as they lie there.
BLOCK_BYTES = 256 << 20
BATCH_ROWS = 8192
BUFFER_BYTES = 1 << 20


class VectorFile:
    """The user's file, opened: the vectors of the examples, in the examples' order, wherever it has them.

    As many are in memory as are asked for, or one block: a file in another order is read once for each.
    """

    def __init__(self, path: Path, column: str, places: np.ndarray) -> None:
        """`places`, (examples,), says in which row of the file each example's vector is."""
        self.path, self.column, self._places = path, column, places
        self._file = pq.ParquetFile(path, buffer_size=BUFFER_BYTES)
        groups = (self._file.metadata.row_group(group).num_rows for group in range(self._file.num_row_groups))
        self._starts = np.concatenate([[0], np.cumsum(list(groups))])
        self._length = 0  # of a vector, from the first that is read

    def take(self, examples: np.ndarray) -> np.ndarray:
        """The vectors (rows, dimensions), float32, of the examples with these indices.

        Raises:
            UserError: vectors of several lengths, or a number that is not finite.
        """
        wanted = self._places[examples]
        order = np.argsort(wanted)
        groups = np.unique(np.searchsorted(self._starts, wanted, side="right") - 1)
        vectors = np.empty((len(wanted), 0), np.float32)
        for group in groups.tolist():
            start = self._starts[group]
            for batch in self._file.iter_batches(BATCH_ROWS, [group], [self.column]):
                matrix = self._read(batch.column(0))
                if not vectors.size:
                    vectors = np.empty((len(wanted), self._length), np.float32)
                first, last = np.searchsorted(wanted[order], [start, start + len(matrix)])
                rows = order[first:last]
                vectors[rows] = matrix[wanted[rows] - start]
                start += len(matrix)
        return vectors

    def iter_blocks(self) -> Iterator[np.ndarray]:
        """Yield all examples' vectors, as many at a time as fit in BLOCK_BYTES."""
        size = max(1, BLOCK_BYTES // (4 * self._length))
        for start in range(0, len(self._places), size):
            yield self.take(np.arange(start, min(start + size, len(self._places))))

    def _read(self, column: pa.Array) -> np.ndarray:
        try:
            matrix = _read_matrix(column, self.column, self._length)
        except (pa.ArrowException, ValueError) as error:
            raise UserError(f"{self.path.name}: {' '.join(str(error).split())[:200]}") from None
        self._length = matrix.shape[1]
        return matrix


def take_vectors(
    config: EmbedConfig, task: str, ids: pa.ChunkedArray, training: np.ndarray
) -> tuple[Embedder, Iterator[np.ndarray]]:
    """Features of the kind `file`: the vectors that the user brings, scaled as the training split's need it.

    Args:
        config: which file.
        task: the task that the examples are of.
        ids: the column example_id of the examples.
        training: (rows,), which of them are of the training split or the pool.

    Returns:
        What scales further vectors, and the features, (some rows, dimensions) float32 at a time.

    Raises:
        UserError: the file does not have one vector for each example.
    """
    vectors = open_vectors(config, task, ids_to_numpy(ids))
    embedding = fit_file(vectors.take(np.flatnonzero(training)[: config.fit_texts]), vectors.path.name)
    return Embedder(config, embedding), (embedding.prepare(block) for block in vectors.iter_blocks())


def open_vectors(config: EmbedConfig, task: str, ids: np.ndarray) -> VectorFile:
    """The vectors of the examples `ids`; the ids are read, and no vector.

    Args:
        config: `path`, in which {task} stands for the task, `column` and, where given, the file's `sha256`.
        task: the task's name.
        ids: (rows,) of dtype V16, every example of the task.

    Raises:
        UserError: no such file, another one than `sha256` says, no such column, or ids that are missing, too many or
            there twice.
    """
    if config.path is None:
        raise UserError("embed.path must be a file for kind file, got none")
    path = locate(config.path.replace("{task}", task))
    if not path.is_file():
        raise UserError(f"embed.path must be a file for kind file, got {path}")
    found = hash_file(path)
    if config.sha256 not in (None, found):
        raise UserError(
            f"{path.name}: sha256 must be {config.sha256}, got {found}; restore the file or correct embed.sha256"
        )
    try:
        with pq.ParquetFile(path) as file:
            names = file.schema_arrow.names
            for column in ("example_id", config.column):
                if column not in names:
                    raise UserError(f"{path.name} must have the column {column}, got {', '.join(names)}")
            own = _read_ids(file.read(["example_id"])["example_id"])
    except (pa.ArrowException, ValueError) as error:
        raise UserError(f"{path.name}: {' '.join(str(error).split())[:200]}") from None
    unique, first, counts = np.unique(own, return_index=True, return_counts=True)
    _refuse(path, unique[counts > 1], "must occur once, got them twice")
    _refuse(path, np.setdiff1d(ids, unique), "must have a vector, got none")
    _refuse(path, np.setdiff1d(unique, ids), f"must be examples of {task}, got others")
    return VectorFile(path, config.column, first[np.searchsorted(unique, ids)])


def _read_ids(column: pa.ChunkedArray) -> np.ndarray:
    """16 bytes an id, or 32 hexadecimal digits."""
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = pa.chunked_array([pa.array([bytes.fromhex(digits or "") for digits in column.to_pylist()])])
    column = pc.cast(column.combine_chunks(), pa.binary())
    if pc.unique(pc.binary_length(column)).to_pylist() != [EXAMPLE_ID_BYTES]:
        raise ValueError(f"example_id must be {EXAMPLE_ID_BYTES} bytes, or as many pairs of hexadecimal digits")
    return ids_to_numpy(pc.cast(column, pa.binary(EXAMPLE_ID_BYTES)))


def _read_matrix(array: pa.Array, name: str, expected: int) -> np.ndarray:
    """Lists of numbers, of any of Arrow's three kinds, as (rows, dimensions) float32; `expected` 0 is any length."""
    lengths = {*pc.unique(pc.list_value_length(array)).to_pylist(), *([expected] if expected else [])}
    if len(lengths) != 1 or not min(length or 0 for length in lengths):
        raise ValueError(f"{name} must hold vectors of one length, got {sorted(lengths, key=str)[:3]}")
    values = pc.cast(pc.list_flatten(array), pa.float32(), safe=False)
    matrix = values.to_numpy(zero_copy_only=False).reshape(len(array), -1)
    if not np.isfinite(matrix).all():
        raise ValueError(f"{name} must hold finite numbers, got NaN, infinity or null")
    return matrix


def _refuse(path: Path, ids: np.ndarray, rule: str) -> None:
    if len(ids):
        raise UserError(f"{path.name}: {len(ids)} example ids (first {ids[0].tobytes().hex()}) {rule}")
