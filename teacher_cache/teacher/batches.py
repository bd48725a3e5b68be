"""Token lists -> batches of rows, and one padded batch -> tensors.

In: lengths or lists of token ids.  Out: plan_batches, shuffle_batches, pad_batch.  Imports: NumPy, torch.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

Rows = NDArray[np.int64]

# A shuffled stretch of this many batches is sorted by length: little padding, yet no order an epoch could learn.
BUCKET_BATCHES = 32


def plan_batches(lengths: Sequence[int], tokens_per_batch: int) -> list[Rows]:
    """Rows of every batch, longest rows first, so that a batch that is too large for memory fails at once.

    Args:
        lengths: tokens of each row.
        tokens_per_batch: most tokens of one batch, padding included; a longer row is a batch of its own.

    Returns:
        Row numbers, each exactly once; a function of the arguments alone.
    """
    order = np.argsort(-np.asarray(lengths, dtype=np.int64), kind="stable")
    batches, start = [], 0
    while start < len(order):
        rows = max(1, tokens_per_batch // max(1, lengths[order[start]]))
        batches.append(order[start : start + rows])
        start += rows
    return batches


def shuffle_batches(lengths: Sequence[int], batch_size: int, seed: Sequence[int]) -> list[Rows]:
    """Rows of every batch of one training epoch: random, with rows of like length together.

    Args:
        lengths: tokens of each row.
        batch_size: rows of a batch; the last of the epoch's batches to be cut may be smaller.
        seed: non-negative integers, by convention (seed of the run, epoch).
    """
    random = np.random.default_rng(list(seed))
    order = random.permutation(len(lengths))
    sizes = np.asarray(lengths, dtype=np.int64)
    batches = []
    for start in range(0, len(order), BUCKET_BATCHES * batch_size):
        bucket = order[start : start + BUCKET_BATCHES * batch_size]
        bucket = bucket[np.argsort(sizes[bucket], kind="stable")]
        batches += [bucket[first : first + batch_size] for first in range(0, len(bucket), batch_size)]
    return [batches[index] for index in random.permutation(len(batches))]


def pad_batch(
    tokens: Sequence[Sequence[int]], pad_id: int, device: torch.device | None = None
) -> dict[str, torch.Tensor]:
    """Right-padded `input_ids` and `attention_mask`, both int64[rows, longest row]."""
    longest = max(len(row) for row in tokens)
    ids = np.full((len(tokens), longest), pad_id, dtype=np.int64)
    mask = np.zeros((len(tokens), longest), dtype=np.int64)
    for index, row in enumerate(tokens):
        ids[index, : len(row)] = row
        mask[index, : len(row)] = 1
    return {"input_ids": torch.from_numpy(ids).to(device), "attention_mask": torch.from_numpy(mask).to(device)}
