"""Rows of examples.parquet -> the teacher's logits and probabilities.

In: a Parquet file of examples, a loaded Teacher.  Out: read_rows(), compute_logits(), softmax(), require_finite(),
to_matrix().  Imports: pyarrow, NumPy.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from teacher_cache.errors import UserError
from teacher_cache.teacher.batches import plan_batches
from teacher_cache.teacher.predict import Teacher


def read_rows(path: Path, start: int, rows: int) -> pa.Table:
    """Rows `start` to `start + rows` of a Parquet file; only the row groups that hold them are read."""
    file = pq.ParquetFile(path)
    first = seen = 0
    groups: list[int] = []
    for group in range(file.num_row_groups):
        size = file.metadata.row_group(group).num_rows
        if seen + size > start and seen < start + rows:
            first = seen if not groups else first
            groups.append(group)
        seen += size
    return file.read_row_groups(groups).slice(start - first, rows).combine_chunks()


def compute_logits(teacher: Teacher, texts: Sequence[str], tokens_per_batch: int) -> np.ndarray:
    """Float32 logits (rows, classes) of `texts`, computed in batches of like length and put back in order."""
    tokens = teacher.tokenize(texts)
    logits = np.empty((len(tokens), len(teacher.labels)), np.float32)
    for rows in plan_batches([len(row) for row in tokens], tokens_per_batch):
        logits[rows] = teacher.logits([tokens[row] for row in rows])
    return logits


def softmax(logits: np.ndarray) -> np.ndarray:
    """Softmax over the last axis at temperature 1, computed in float64 and rounded to float32 once."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    exponentials = np.exp(shifted)
    return (exponentials / exponentials.sum(axis=-1, keepdims=True)).astype(np.float32)


def require_finite(logits: np.ndarray, example_ids: pa.ChunkedArray) -> None:
    """Refuse NaN and infinity, naming the first examples that have them."""
    bad = np.flatnonzero(~np.isfinite(logits).all(axis=1))
    if len(bad):
        names = ", ".join(example_ids[int(row)].as_py().hex() for row in bad[:3])
        raise UserError(
            f"logits must be finite, got NaN or infinity for {len(bad)} examples: {names}; take dtype float32"
        )


def to_matrix(column: pa.ChunkedArray) -> np.ndarray:
    """A column of fixed-size lists as (rows, values)."""
    return np.concatenate([chunk.flatten().to_numpy().reshape(len(chunk), -1) for chunk in column.chunks])
