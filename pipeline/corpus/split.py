"""Which examples are kept and which split each is in, decided by their content and the seed alone.

In: example ids and their classes.  Out: DROPPED, order(), count_kept(), count_splits(), assign_splits().
Imports: NumPy.
"""

import hashlib
from collections.abc import Sequence
from itertools import accumulate, pairwise

import numpy as np

from teacher_cache.errors import UserError
from teacher_cache.schema import EXAMPLE_ID_BYTES, LABELLED_SPLITS

DROPPED = -1


def order(ids: np.ndarray, seed: int) -> np.ndarray:
    """Shuffle `ids`, (rows,) of dtype V16, by a keyed hash: the same ids and seed, however they come, the same order.

    Returns:
        Which id comes first, second, ...
    """
    key, data = seed.to_bytes(8, "little"), ids.tobytes()
    digests = bytearray()
    for start in range(0, len(data), EXAMPLE_ID_BYTES):
        # The first bytes alone: that two of them are the same in all 16 will not happen.
        digests += hashlib.blake2b(data[start : start + EXAMPLE_ID_BYTES], key=key).digest()[:EXAMPLE_ID_BYTES]
    return np.argsort(np.frombuffer(digests, ids.dtype))


def count_kept(sizes: Sequence[int], balance: bool, limit: int | None) -> tuple[list[int], dict[str, int]]:
    """How many examples of each class stay.

    Args:
        sizes: examples per class.
        balance: whether every class is cut to the smallest one's size.
        limit: examples to keep at most, equally many per class.

    Returns:
        (kept per class, rows dropped for `balance` and for `limit`).
    """
    balanced = [min(sizes)] * len(sizes) if balance else list(sizes)
    kept = balanced if limit is None else [min(size, limit // len(sizes)) for size in balanced]
    return kept, {"balance": sum(sizes) - sum(balanced), "limit": sum(balanced) - sum(kept)}


def count_splits(size: int, ratio: Sequence[int]) -> list[int]:
    """Cut `size` examples in `ratio`; every split is off its exact share by less than one."""
    bounds = [0, *(size * part // sum(ratio) for part in accumulate(ratio))]
    return [upper - lower for lower, upper in pairwise(bounds)]


def assign_splits(
    ids: np.ndarray,
    classes: np.ndarray,
    labels: Sequence[str],
    ratio: Sequence[int],
    balance: bool,
    limit: int | None,
    seed: int,
) -> tuple[np.ndarray, dict[str, int]]:
    """Choose the examples to keep and split each class in `ratio`.

    Args:
        ids: (rows,) of dtype V16.
        classes: indices into `labels`.
        labels: the classes' names.
        ratio: of the splits.
        balance: as count_kept.
        limit: as count_kept.
        seed: of the order in which a class's examples are dealt out.

    Returns:
        (int8, each row's index into LABELLED_SPLITS or DROPPED; rows dropped for `balance` and for `limit`).

    Raises:
        UserError: a class has too few examples to be in every split.
    """
    shuffled = order(ids, seed)
    rows_of = [shuffled[classes[shuffled] == index] for index in range(len(labels))]
    kept, drops = count_kept([len(rows) for rows in rows_of], balance, limit)
    fewest, found, scarcest = min(zip(kept, map(len, rows_of), labels, strict=True))
    if not all(count_splits(fewest, ratio)):
        shares = ":".join(str(part) for part in ratio)
        raise UserError(
            f"class {scarcest} must have texts for each of {', '.join(LABELLED_SPLITS)} at {shares}, got {fewest} to "
            f"split ({found} after cleaning); give it more texts or raise the limit"
        )
    splits = np.full(len(ids), DROPPED, np.int8)
    for rows, size in zip(rows_of, kept, strict=True):
        splits[rows[:size]] = np.repeat(np.arange(len(LABELLED_SPLITS), dtype=np.int8), count_splits(size, ratio))
    return splits, drops
