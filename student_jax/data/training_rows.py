"""Which rows are trained on: those with a label, and the first of the pool, whose texts have none.

In: a dataset by splits.  Out: HIDDEN, limit_pool(), count_rows(), join_pool(), select_rows().  Imports: NumPy.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from student_jax.data.dataset import Split
from student_jax.data.stored import StoredValues
from teacher_cache.schema import NO_LABEL

POOL = "pool"
# Labels of the pool that are known and were hidden, beside texts and features; not there where none are.
HIDDEN = "hidden_labels.parquet"


def limit_pool(dataset: Mapping[str, Split], most: int | None) -> dict[str, Split]:
    """`dataset` with the `most` first texts of its pool by id, all where `most` is None; without a pool where it is 0.

    Ids are hashes, so that the first are as good as drawn; what fewer texts are is part of what more are.
    """
    if count_rows(dataset, most) == count_rows(dataset, None):
        return dict(dataset)
    limited = {name: split for name, split in dataset.items() if name != POOL}
    if most:
        pool = dataset[POOL]
        chosen = np.zeros(len(pool.labels), bool)
        chosen[np.argsort(pool.ids)[:most]] = True
        limited[POOL] = select_rows(pool, chosen)
    return limited


def count_rows(dataset: Mapping[str, Split], most: int | None) -> int:
    """How many rows `join_pool` gives."""
    pool = len(dataset[POOL].labels) if POOL in dataset else 0
    return len(dataset["train"].labels) + (pool if most is None else min(pool, most))


def join_pool(dataset: Mapping[str, Split], most: int | None) -> Split:
    """What is trained on: split `train` and, behind it, the pool that `limit_pool` leaves.

    Features that stay in their file come in the file's order, so that each of its row groups is read once an epoch.
    """
    limited = limit_pool(dataset, most)
    train, pool = limited["train"], limited.get(POOL)
    if pool is None:
        return train
    features: StoredValues | np.ndarray
    order: slice | np.ndarray = slice(None)
    if isinstance(train.features, StoredValues):
        features, order = train.features.merge(pool.features)
    else:
        features = np.concatenate([train.features, pool.features])

    def join(one: Any, other: Any) -> Any:
        return None if one is None else np.concatenate([one, other])[order]

    joined = Split(features, *(join(one, other) for one, other in zip(train[1:], pool[1:], strict=True)))
    return joined._replace(known=joined.labels != NO_LABEL)


def select_rows(split: Split, chosen: np.ndarray) -> Split:
    """The rows of `split` for which `chosen`, one truth value each, is true."""
    features = split.features
    features = features.select(chosen) if isinstance(features, StoredValues) else features[chosen]
    return Split(features, *(None if array is None else array[chosen] for array in split[1:]))
