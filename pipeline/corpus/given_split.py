"""Splits that are not drawn text by text: the source's own, and those that keep together what belongs together.

In: classes, groups, given splits, a ratio, a seed.  Out: take_splits(), deal_groups(), require_classes().
Imports: NumPy.
"""

from collections.abc import Sequence

import numpy as np

from pipeline.corpus.split import count_splits, order
from teacher_cache.errors import UserError
from teacher_cache.schema import LABELLED_SPLITS

TRAIN, VALIDATION = LABELLED_SPLITS.index("train"), LABELLED_SPLITS.index("validation")


def take_splits(
    ids: np.ndarray, classes: np.ndarray, labels: Sequence[str], given: np.ndarray, ratio: Sequence[int], seed: int
) -> np.ndarray:
    """The `given` splits; where none is called validation, a part of train's texts, drawn by class, becomes it.

    Args:
        ids: (rows,) of dtype V16.
        classes: indices into `labels`.
        labels: the classes' names.
        given: indices into LABELLED_SPLITS.
        ratio: of train and validation, by its first two parts.
        seed: of what is drawn.

    Raises:
        UserError: a class is not in every split.
    """
    splits = given.copy()
    if not (given == VALIDATION).any():
        shuffled = order(ids, seed)
        for index in range(len(labels)):
            rows = shuffled[(classes[shuffled] == index) & (given[shuffled] == TRAIN)]
            splits[rows[count_splits(len(rows), ratio[:2])[0] :]] = VALIDATION
    require_classes(splits, classes, labels, "as the source splits them")
    return splits


def deal_groups(groups: np.ndarray, classes: np.ndarray, ratio: Sequence[int], seed: int) -> np.ndarray:
    """Deal whole groups out, the largest first, each to the split that lacks most of its classes.

    Args:
        groups: (rows,) of dtype V16, equal for rows that must be in one split.
        classes: indices.
        ratio: of the splits.
        seed: of the order among groups of one size.

    Returns:
        int8, each row's index into LABELLED_SPLITS; the same for the same rows in any order.
    """
    names, group_of = np.unique(groups, return_inverse=True)
    counts = np.zeros((len(names), int(classes.max()) + 1), np.int64)
    np.add.at(counts, (group_of, classes), 1)
    totals = np.maximum(counts.sum(axis=0), 1)
    lacking = np.outer(np.asarray(ratio) / sum(ratio), totals)  # (splits, classes)
    dealt = np.zeros(len(names), np.int8)
    shuffled = order(names, seed)
    for index in shuffled[np.argsort(-counts[shuffled].sum(axis=1), kind="stable")]:
        # By squares of what lacks, each class weighing the same.
        split = int(np.argmax((lacking / totals) @ (counts[index] / totals)))
        lacking[split] -= counts[index]
        dealt[index] = split
    return dealt[group_of]


def require_classes(splits: np.ndarray, classes: np.ndarray, labels: Sequence[str], how: str) -> None:
    """Refuse splits of which one has no text of a class.

    Raises:
        UserError: naming the class, the split and how many texts there are.
    """
    for index, name in enumerate(labels):
        counts = np.bincount(splits[(classes == index) & (splits >= 0)], minlength=len(LABELLED_SPLITS)).tolist()
        if not all(counts):
            found = ", ".join(f"{count} in {split}" for split, count in zip(LABELLED_SPLITS, counts, strict=True))
            raise UserError(f"class {name} must have texts in each of {', '.join(LABELLED_SPLITS)}, got {found} {how}")
