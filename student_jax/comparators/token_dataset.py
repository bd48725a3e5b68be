"""Tokens and teacher outputs of one task, joined by example id and cut by split, and what a network must know of them.

In: tokens, a teacher cache.  Out: Facts, join_tokens(), find_facts(), spread_layers().
Imports: NumPy.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from student_jax.data.dataset import Split, join_dataset
from student_jax.data.features import Features
from teacher_cache.errors import UserError
from teacher_cache.reader import Cache


class Facts(NamedTuple):
    """Sizes that the data dictate.

    `training` are the training split's tokens. `layers` are the numbers of the cached hidden layers, none where a
    method needs none; `width` is theirs.
    """

    vocabulary: int
    length: int
    classes: int
    training: Int[np.ndarray, "rows tokens"]
    layers: tuple[int, ...] = ()
    width: int = 0


def join_tokens(
    ids: np.ndarray, tokens: Int[np.ndarray, "rows tokens"], cache: Cache, states: bool
) -> dict[str, Split]:
    """Every split's tokens with the teacher's logits, the labels and, where wanted, the teacher's hidden states.

    Args:
        ids: example ids, dtype V16.
        tokens: of each example's text, in the same order.
        cache: the teacher's.
        states: whether the hidden states are wanted.

    Raises:
        UserError: ids that do not match, or a cache without hidden states.
    """
    if states:
        require_states(cache)
    rows = cache.read()
    dataset = join_dataset(Features(ids, tokens, ""), rows, cache.left_out)
    if not states or rows.hidden is None:
        return dataset
    order = np.argsort(rows.example_id)
    hidden = rows.hidden.reshape(len(order), len(cache.manifest.identity["hidden_layers"]), -1)
    return {
        name: split._replace(hidden=hidden[order[np.searchsorted(rows.example_id[order], split.ids)]])
        for name, split in dataset.items()
    }


def require_states(cache: Cache) -> None:
    """Refuse a cache without the teacher's hidden states.

    Raises:
        UserError: it has none.
    """
    if not cache.manifest.hidden:
        teacher = cache.manifest.teacher
        raise UserError(
            f"{cache.folder} must hold hidden states for this comparator, got none; "
            f"set teacher.{teacher}.cache_teacher.hidden_layers"
        )


def find_facts(dataset: Mapping[str, Split], vocabulary: int, cache: Cache) -> Facts:
    """What the joined splits say; `vocabulary` is the number of tokens that there may be."""
    train = dataset["train"]
    found = vocabulary, train.features.shape[1], train.logits.shape[1], train.features
    if train.hidden is None:
        return Facts(*found)
    return Facts(*found, tuple(cache.manifest.identity["hidden_layers"]), train.hidden.shape[2])


def spread_layers(cached: Sequence[int], layers: int) -> list[int]:
    """Which of its own states, 0 to `layers`, a network compares with each cached layer.

    Layer 0, the embeddings, goes with state 0; the others are spread evenly over the network's layers, the last with
    the last, as g(m) = m N / M is for a cache of every layer.

    Source: Jiao et al. 2020, arXiv:1909.10351, section 4.1.
    """
    deep = [layer for layer in cached if layer > 0]
    spread = [-(-(place + 1) * layers // len(deep)) for place in range(len(deep))]
    return [0] * (len(cached) - len(deep)) + spread
