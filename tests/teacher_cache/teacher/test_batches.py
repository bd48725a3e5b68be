"""plan_batches and shuffle_batches lose nothing and keep to their limits; pad_batch pads on the right."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from teacher_cache.teacher.batches import pad_batch, plan_batches, shuffle_batches

LENGTHS = st.lists(st.integers(1, 90), min_size=1, max_size=200)


@given(LENGTHS, st.integers(1, 300))
def test_plan_holds_every_row_once_within_the_budget(lengths, budget):
    batches = plan_batches(lengths, budget)
    assert sorted(np.concatenate(batches)) == list(range(len(lengths)))
    for rows in batches:
        padded = len(rows) * max(lengths[row] for row in rows)
        assert padded <= budget or len(rows) == 1


def test_plan_by_hand():
    """Longest first, equal lengths in row order: 9 | 5 5 | 2 2 within 10 tokens."""
    assert [list(rows) for rows in plan_batches([5, 2, 9, 5, 2], 10)] == [[2], [0, 3], [1, 4]]


@given(LENGTHS, st.integers(1, 16), st.integers(0, 9))
def test_an_epoch_holds_every_row_once(lengths, batch_size, epoch):
    batches = shuffle_batches(lengths, batch_size, (7, epoch))
    assert sorted(np.concatenate(batches)) == list(range(len(lengths)))
    assert max(map(len, batches)) <= batch_size


def test_epochs_differ_and_repeat():
    lengths = list(range(1, 101))
    first, again, second = (np.concatenate(shuffle_batches(lengths, 8, (0, epoch))) for epoch in (1, 1, 2))
    assert (first == again).all()
    assert (first != second).any()


def test_a_batch_of_an_epoch_holds_rows_of_like_length():
    """128 lengths in one bucket of 8 rows a batch: each batch spans exactly 8 neighbouring lengths."""
    lengths = list(np.random.default_rng(0).permutation(128) + 1)
    for rows in shuffle_batches(lengths, 8, (0, 1)):
        of_batch = [lengths[row] for row in rows]
        assert max(of_batch) - min(of_batch) == 7


@pytest.mark.parametrize("pad_id", [0, 2])
def test_padding_by_hand(pad_id):
    batch = pad_batch([[5, 6, 7], [8]], pad_id)
    assert batch["input_ids"].tolist() == [[5, 6, 7], [8, pad_id, pad_id]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
