"""Which examples are kept and which split each is in, decided by their content and the seed alone.

In: example ids per class.  Out: order(), count_kept(), count_splits(), assign_splits().
Imports: the standard library alone.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, pairwise

from teacher_cache.errors import UserError
from teacher_cache.schema import SPLITS


def order(example_ids: Iterable[bytes], seed: int) -> list[bytes]:
    """Shuffle by a keyed hash: the same ids and seed give the same order, however they came in."""
    key = seed.to_bytes(8, "little")
    return sorted(example_ids, key=lambda example_id: hashlib.blake2b(example_id, key=key).digest())


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
    ids_by_class: Mapping[str, Iterable[bytes]], ratio: Sequence[int], balance: bool, limit: int | None, seed: int
) -> tuple[dict[bytes, str], dict[str, int]]:
    """Choose the examples to keep and split each class in `ratio`.

    Returns:
        (split of each kept id, rows dropped for `balance` and for `limit`).

    Raises:
        UserError: a class has too few examples to be in every split.
    """
    ordered = {name: order(ids, seed) for name, ids in ids_by_class.items()}
    kept, drops = count_kept([len(ids) for ids in ordered.values()], balance, limit)
    fewest, found, scarcest = min(zip(kept, (len(ids) for ids in ordered.values()), ordered, strict=True))
    if not all(count_splits(fewest, ratio)):
        shares = ":".join(str(part) for part in ratio)
        raise UserError(
            f"class {scarcest} must have texts for each of {', '.join(SPLITS)} at {shares}, got {fewest} to split "
            f"({found} after cleaning); give it more texts or raise the limit"
        )
    split_of: dict[bytes, str] = {}
    for ids, size in zip(ordered.values(), kept, strict=True):
        splits = [split for split, count in zip(SPLITS, count_splits(size, ratio), strict=True) for _ in range(count)]
        split_of.update(zip(ids, splits, strict=False))  # what is over is dropped
    return split_of, drops
