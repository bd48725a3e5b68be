"""Rows of examples.parquet -> the teacher's logits, probabilities and hidden states.

In: a Parquet file of examples, a loaded Teacher.  Out: read_rows(), compute_answers(), answer_batches(),
compute_logits(), require_finite(), to_matrix().  Imports: pyarrow, NumPy.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from teacher_cache.errors import UserError
from teacher_cache.teacher.batches import Rows, plan_batches
from teacher_cache.teacher.capture.answering import Teacher

# Texts are short or long: a batch and a buffer of the file hold some tens of megabytes of them at most.
BATCH_ROWS = 4096
BUFFER_BYTES = 1 << 20


def read_rows(path: Path, start: int, rows: int) -> pa.Table:
    """Rows `start` to `start + rows` of a Parquet file; no more is held than a batch and these rows."""
    file = pq.ParquetFile(path, buffer_size=BUFFER_BYTES)
    starts = np.cumsum([0, *(file.metadata.row_group(group).num_rows for group in range(file.num_row_groups))])
    groups = [k for k in range(file.num_row_groups) if starts[k] < start + rows and start < starts[k + 1]]
    seen, found = int(starts[groups[0]]), []
    for batch in file.iter_batches(BATCH_ROWS, groups):
        first, last = max(start - seen, 0), min(start + rows - seen, len(batch))
        if first < last:
            found.append(batch.slice(first, last - first))
        seen += len(batch)
        if seen >= start + rows:
            break
    return pa.Table.from_batches(found).combine_chunks()


def compute_answers(
    teacher: Teacher, texts: Sequence[str], tokens_per_batch: int, layers: Sequence[int] = ()
) -> tuple[np.ndarray, np.ndarray | None]:
    """Logits and hidden states of `texts`, computed in batches of like length and put back in order.

    Returns:
        float32 (rows, classes), and float16 (rows, layers x width), None without `layers`.
    """
    tokens = teacher.tokenize(texts)
    batches = plan_batches([len(row) for row in tokens], tokens_per_batch)
    logits, hidden = answer_batches(teacher, tokens, batches, layers)
    places = np.argsort(np.concatenate(batches))
    return logits[places], None if hidden is None else hidden[places]


def answer_batches(
    teacher: Teacher, tokens: Sequence[Sequence[int]], batches: Sequence[Rows], layers: Sequence[int]
) -> tuple[np.ndarray, np.ndarray | None]:
    """Logits and hidden states of the rows of `batches`, in the order of the batches, as `compute_answers` has them."""
    answers = [teacher.answer([tokens[row] for row in rows], layers) for rows in batches]
    hidden = [states for _, states in answers if states is not None]
    return np.concatenate([logits for logits, _ in answers]), np.concatenate(hidden) if hidden else None


def compute_logits(teacher: Teacher, texts: Sequence[str], tokens_per_batch: int) -> np.ndarray:
    """Float32 logits (rows, classes) of `texts`, computed in batches of like length and put back in order."""
    return compute_answers(teacher, texts, tokens_per_batch)[0]


def require_finite(matrix: np.ndarray, example_ids: pa.ChunkedArray, name: str = "logits") -> None:
    """Refuse NaN and infinity in the rows of `matrix`, naming the first examples that have them."""
    bad = np.flatnonzero(~np.isfinite(matrix).all(axis=1))
    if len(bad):
        names = ", ".join(example_ids[int(row)].as_py().hex() for row in bad[:3])
        raise UserError(
            f"{name} must be finite, got NaN or infinity for {len(bad)} examples: {names}; take dtype float32"
            + ("" if name == "logits" else ", or leave out the layer that exceeds float16")
        )


def to_matrix(column: pa.ChunkedArray) -> np.ndarray:
    """A column of fixed-size lists as (rows, values)."""
    return np.concatenate([chunk.flatten().to_numpy().reshape(len(chunk), -1) for chunk in column.chunks])
