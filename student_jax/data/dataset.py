"""Features and teacher outputs of one task, joined by example_id and cut by split.

In: the folders of features and cache, or what was read from them.
Out: EVALUATED, Split, open_dataset(), join_dataset().
Imports: NumPy, jaxtyping.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from student_jax.data.features import Features, read_features
from teacher_cache.errors import UserError
from teacher_cache.manifest import Manifest
from teacher_cache.reader import CacheRows, open_cache
from teacher_cache.schema import LABELLED_SPLITS, SPLITS

# What nothing is trained on.
EVALUATED = ("validation", "test")


class Split(NamedTuple):
    """What a model sees of one split, in arrays of NumPy or JAX; the logits are the teacher's.

    `features` are what is classified: vectors, or tokens; StoredValues where they would be too large for memory.
    `labels` are NO_LABEL in the pool.
    `hidden` are the teacher's states of some layers, None where the model is not trained on them. `ids` names the rows'
    examples, dtype V16; it is None where no one asks for them. `known` says which rows have a label, None where all do.
    """

    features: Float[Any, "rows dimensions"] | Int[Any, "rows tokens"]
    logits: Float[Any, "rows classes"]
    labels: Int[Any, " rows"]
    ids: Any = None
    hidden: Any = None  # "rows layers width"
    known: Any = None  # "rows"


def open_dataset(
    features: Path, cache: Path, task: str, teacher: str, memory: int | None = None
) -> tuple[dict[str, Split], Manifest]:
    """The joined splits of one task and teacher, and the manifest of the cache they come from.

    Args:
        features: the folder of stage embed.
        cache: the folder of stage cache_teacher.
        task: the task that the cache must be of.
        teacher: the teacher that it must be of.
        memory: features of more bytes, by default than features.MAX_BYTES, stay in their file.

    Raises:
        UserError: a file is missing or damaged; the cache is another's, or was made from other examples.
    """
    read = read_features(features / "features.parquet", memory)
    opened = open_cache(cache, {"task": task, "teacher": teacher, "identity.examples": read.examples})
    return join_dataset(read, opened.read(), opened.left_out), opened.manifest


def join_dataset(features: Features, rows: CacheRows, left_out: np.ndarray | None = None) -> dict[str, Split]:
    """Every split's features with the teacher's logits and the labels of the same examples.

    The pool is among the splits where it has examples.

    Args:
        features: one vector per example.
        rows: the whole teacher cache.
        left_out: ids of examples that have features, and no row of the cache.

    Raises:
        UserError: ids that occur twice, that only one side has, or a labelled split without rows.
    """
    if left_out is not None and len(left_out):
        _refuse(np.setdiff1d(left_out, features.ids), "that the cache leaves out must have features, got none")
        answered = np.isin(features.ids, left_out, invert=True)
        features = Features(features.ids[answered], features.select(answered), features.examples)
    ids = features.ids
    places = _find(ids, rows.example_id)
    logits, labels, split = rows.logits[places], rows.label[places], rows.split[places]
    dataset = {}
    for index, name in enumerate(SPLITS):
        chosen = split == index
        if not chosen.any():
            if name not in LABELLED_SPLITS:
                continue
            raise UserError(f"split {name} must have at least one example, got 0")
        dataset[name] = Split(features.select(chosen), logits[chosen], labels[chosen], ids[chosen])
    return dataset


def _find(ids: np.ndarray, cached: np.ndarray) -> slice | Int[np.ndarray, " rows"]:
    """Where every id stands in the cache, which has each of its own once."""
    if np.array_equal(ids, cached):  # as the pipeline writes them; sorting millions takes a minute
        return slice(None)
    for side, side_ids in (("features", ids), ("teacher cache", cached)):
        unique, counts = np.unique(side_ids, return_counts=True)
        _refuse(unique[counts > 1], f"must occur once in the {side}, got them twice")
    _refuse(np.setdiff1d(ids, cached), "must be in the teacher cache, got features alone")
    _refuse(np.setdiff1d(cached, ids), "must have features, got a row of the teacher cache alone")
    by_id = np.argsort(cached)
    return by_id[np.searchsorted(cached[by_id], ids)]


def _refuse(ids: np.ndarray, rule: str) -> None:
    if len(ids):
        raise UserError(
            f"{len(ids)} example ids (first {ids[0].tobytes().hex()}) {rule}; rerun the stage that is older"
        )
