"""Features and teacher outputs of one task, joined by example_id and cut by split.

In: Features, the rows of a teacher cache.  Out: Split, join_dataset().  Imports: NumPy, jaxtyping.
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from student_jax.features import Features
from teacher_cache.errors import UserError
from teacher_cache.reader import CacheRows
from teacher_cache.schema import SPLITS


class Split(NamedTuple):
    """What a student sees of one split, in arrays of NumPy or JAX; the logits are the teacher's."""

    features: Float[Any, "rows dimensions"]
    logits: Float[Any, "rows classes"]
    labels: Int[Any, " rows"]


def join_dataset(features: Features, rows: CacheRows) -> dict[str, Split]:
    """Every split's features with the teacher's logits and the labels of the same examples.

    Args:
        features: one vector per example.
        rows: the whole teacher cache.

    Raises:
        UserError: ids that occur twice, that only one side has, or a split without rows.
    """
    ids = features.ids
    for side, side_ids in (("features", ids), ("teacher cache", rows.example_id)):
        unique, counts = np.unique(side_ids, return_counts=True)
        _refuse(unique[counts > 1], f"must occur once in the {side}, got them twice")
    _refuse(np.setdiff1d(ids, rows.example_id), "must be in the teacher cache, got features alone")
    _refuse(np.setdiff1d(rows.example_id, ids), "must have features, got a row of the teacher cache alone")
    by_id = np.argsort(rows.example_id)
    position = by_id[np.searchsorted(rows.example_id[by_id], ids)]
    logits, labels, split = rows.logits[position], rows.label[position], rows.split[position]
    dataset = {}
    for index, name in enumerate(SPLITS):
        chosen = split == index
        if not chosen.any():
            raise UserError(f"split {name} must have at least one example, got 0")
        dataset[name] = Split(features.values[chosen], logits[chosen], labels[chosen])
    return dataset


def _refuse(ids: np.ndarray, rule: str) -> None:
    if len(ids):
        raise UserError(
            f"{len(ids)} example ids (first {ids[0].tobytes().hex()}) {rule}; rerun the stage that is older"
        )
