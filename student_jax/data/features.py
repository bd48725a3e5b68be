"""features.parquet: the frozen features of all of a task's texts, in memory or, where they are too many, in their file.

In: vectors, or the path.  Out: Features, write_features(), read_features(), MAX_BYTES.
Imports: NumPy, pyarrow; never jax.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from student_jax.data.stored import GROUP_BYTES, StoredValues, open_values, require_finite
from teacher_cache.errors import UserError
from teacher_cache.publish import publish_file
from teacher_cache.reader import ids_to_numpy
from teacher_cache.schema import features_schema, require_schema

FINGERPRINT = b"examples"
# What of a task's features is held in memory; more is read from its file, window by window.
MAX_BYTES = 256 << 20


class Features(NamedTuple):
    """All of features.parquet: ids (rows,) of dtype V16, values (rows, dimensions) float32, and which examples."""

    ids: np.ndarray
    values: np.ndarray | StoredValues
    examples: str

    def select(self, rows: np.ndarray) -> np.ndarray | StoredValues:
        """The values of the rows for which `rows`, one truth value each, is true."""
        return self.values.select(rows) if isinstance(self.values, StoredValues) else self.values[rows]


def write_features(
    path: Path, ids: pa.ChunkedArray, blocks: Iterable[np.ndarray], dimensions: int, examples: str
) -> None:
    """Publish features.parquet; its bytes do not depend on how the rows are cut into blocks.

    Args:
        path: the file to publish.
        ids: the column example_id of the examples.
        blocks: their vectors in the same order, (some rows, dimensions) float32 at a time.
        dimensions: the length of a vector.
        examples: fingerprint of the examples, kept in the file's metadata.
    """
    schema = features_schema(dimensions).with_metadata({FINGERPRINT: examples})
    size = max(1, GROUP_BYTES // (4 * dimensions))
    held, done = schema.empty_table(), 0
    with (
        publish_file(path) as temporary,
        # Mantissas of features do not compress: zstd would cost time and save nothing.
        pq.ParquetWriter(
            temporary, schema, compression="none", use_dictionary=False, write_page_checksum=True
        ) as writer,
    ):
        for block in blocks:
            column = pa.FixedSizeListArray.from_arrays(pa.array(block.ravel(), pa.float32()), dimensions)
            own = pa.Table.from_arrays([ids.slice(done, len(block)), column], schema=schema)
            held, done = pa.concat_tables([held, own]).combine_chunks(), done + len(block)
            if whole := len(held) // size * size:
                writer.write_table(held.slice(0, whole), row_group_size=size)
                held = held.slice(whole)
        if len(held):
            writer.write_table(held)
    if done != len(ids):
        raise ValueError(f"there must be a vector for each of {len(ids)} ids, got {done}")


def read_features(path: Path, memory: int | None = None) -> Features:
    """Read features.parquet, verifying its checksums.

    Args:
        path: the file.
        memory: values of more bytes, than MAX_BYTES by default, stay in the file, and are read when they are asked for.

    Raises:
        UserError: missing, damaged, not a features file, empty, or with a value that is not finite.
    """
    try:
        file = pq.ParquetFile(path, page_checksum_verification=True)
        schema, rows = file.schema_arrow, file.metadata.num_rows
        index = schema.get_field_index("features")
        kind = schema.field(index).type if index >= 0 else None
        dimensions = kind.list_size if isinstance(kind, pa.FixedSizeListType) else 1
        require_schema(schema, features_schema(dimensions), path)
        stored = rows * dimensions * 4 > (MAX_BYTES if memory is None else memory)
        table = file.read(["example_id"] if stored else None).combine_chunks()
    except FileNotFoundError:
        raise UserError(f"{path} must exist; run the embed stage or `dvc pull`") from None
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path} cannot be read: {str(error).splitlines()[0]}; remake or pull it") from None
    if rows == 0:
        raise UserError(f"{path} must have at least one row, got 0")
    ids, examples = ids_to_numpy(table["example_id"]), (schema.metadata or {}).get(FINGERPRINT, b"").decode()
    if stored:
        return Features(ids, open_values(path, dimensions), examples)
    values = table["features"].chunk(0).flatten().to_numpy().reshape(-1, dimensions)
    require_finite(values, path)
    return Features(ids, values, examples)
