"""The labels of a pool that are known and were hidden: what the comparator `all_labels` learns from, and nothing else.

In: a dataset, hidden_labels.parquet.  Out: reveal_labels().  Imports: pyarrow, numpy.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from student_jax.data.dataset import Split
from student_jax.data.training_rows import POOL, select_rows
from teacher_cache.errors import UserError
from teacher_cache.reader import ids_to_numpy


def reveal_labels(dataset: Mapping[str, Split], path: Path, task: str) -> dict[str, Split]:
    """`dataset` with the labels of its pool that `path` holds; texts of the pool without one are left out.

    Without a pool every training text has its label already.

    Raises:
        UserError: there is a pool, and nobody knows a label of it.
    """
    if POOL not in dataset:
        return dict(dataset)
    if not path.is_file():
        raise UserError(
            f"comparators must leave out all_labels where nobody knows the labels of a task's pool, got {task}; "
            "they are known where task.NAME.labelled hid them"
        )
    table, pool = pq.read_table(path), dataset[POOL]
    ids, labels = ids_to_numpy(table["example_id"]), table["label"].to_numpy()
    known = select_rows(pool, np.isin(pool.ids, ids))
    order = np.argsort(ids)
    found = labels[order[np.searchsorted(ids[order], known.ids)]]
    return {**dataset, POOL: known._replace(labels=found)}
