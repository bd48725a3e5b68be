"""Which labels of train and validation are kept where a task is to have few, and which are hidden.

In: ids, classes, splits, how many labels.  Out: hide_labels(), write_hidden_labels().  Imports: NumPy, pyarrow.

Texts keep their label in one order for any number of them: a text that has its label among 64 has it among 240.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.corpus.split import DROPPED, order
from teacher_cache.errors import UserError
from teacher_cache.schema import HIDDEN_LABELS, SPLITS

TRAIN, VALIDATION, POOL = (SPLITS.index(name) for name in ("train", "validation", "pool"))
# Texts with a label, train : validation.
RATIO = (3, 1)


def hide_labels(
    ids: np.ndarray, classes: np.ndarray, splits: np.ndarray, labels: Sequence[str], kept: int, least: int, seed: int
) -> np.ndarray:
    """The splits where `kept` texts keep their label; the other texts of train are the pool's, of validation dropped.

    Args:
        ids: (rows,) of dtype V16.
        classes: indices into `labels`.
        splits: int8, indices into SPLITS; the test split and what is dropped stay as they are.
        labels: the classes' names.
        kept: labels of train and validation together, 3 : 1, each class as often as in its split.
        least: texts that train must have at least.
        seed: of which texts keep their label.

    Raises:
        UserError: so many leave a class without a text in train or validation, or are not there.
    """
    shuffled, found = order(ids, seed), splits.copy()
    queues = [_stratify(shuffled[splits[shuffled] == split], classes, len(labels)) for split in (TRAIN, VALIDATION)]
    needed = [_count_first(classes[queue], len(labels)) for queue in queues]
    needed[0] = max(needed[0], least)
    numbers = np.arange(len(ids) + 1)
    counts = np.stack([numbers * RATIO[0] // sum(RATIO), -(-numbers * RATIO[1] // sum(RATIO))], axis=1)
    fitting = np.flatnonzero(((counts >= needed) & (counts <= [len(queue) for queue in queues])).all(axis=1))
    if kept not in fitting:
        lowest, highest = fitting[[0, -1]].tolist() if len(fitting) else (0, 0)
        raise UserError(
            f"labelled must be from {lowest} to {highest}, got {kept}: 3 : 1 of {len(queues[0])} labelled texts to "
            f"train on and {len(queues[1])} to validate, so that both have each of {len(labels)} classes"
        )
    for queue, number, rest in zip(queues, counts[kept], (POOL, DROPPED), strict=True):
        found[queue[number:]] = rest
    return found


def _stratify(rows: np.ndarray, classes: np.ndarray, labels: int) -> np.ndarray:
    """`rows` in an order of which each beginning has the classes as often as the whole, to within a text or so."""
    own = classes[rows]
    place = np.zeros(len(rows))
    for index in range(labels):
        size = int(np.sum(own == index))
        place[own == index] = (np.arange(size) + 0.5) / max(size, 1)
    return rows[np.argsort(place, kind="stable")]


def _count_first(classes: np.ndarray, labels: int) -> int:
    """How many of the first of `classes` have each of `labels` among them."""
    return 1 + max(int(np.argmax(classes == index)) for index in range(labels))


def write_hidden_labels(path: Path, ids: np.ndarray, classes: np.ndarray) -> None:
    """Write the classes' indices that are hidden: for comparing with what had been known with all labels alone."""
    kind = HIDDEN_LABELS.field(0).type
    example_id = pa.FixedSizeBinaryArray.from_buffers(kind, len(ids), [None, pa.py_buffer(ids)])
    columns = [example_id, pa.array(classes, pa.int32())]
    pq.write_table(pa.Table.from_arrays(columns, schema=HIDDEN_LABELS), path, compression="zstd")
