import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.corpus.split import DROPPED, assign_splits, count_kept, count_splits, order
from teacher_cache.errors import UserError

RATIO = [6, 2, 2]


def make_ids(*counts):
    """So many ids of each class, which their first byte says."""
    ids = [bytes([index]) + number.to_bytes(15, "big") for index, count in enumerate(counts) for number in range(count)]
    return np.frombuffer(b"".join(ids), "V16"), np.repeat(np.arange(len(counts), dtype=np.int32), counts)


def assign(*counts, balance=True, limit=None):
    return assign_splits(*make_ids(*counts), ["x", "y"], RATIO, balance, limit, seed=3)


@given(st.integers(0, 10_000), st.lists(st.integers(1, 20), min_size=3, max_size=3))
def test_counts_add_up_and_are_off_by_less_than_one(size, ratio):
    counts = count_splits(size, ratio)
    assert sum(counts) == size
    for count, part in zip(counts, ratio, strict=True):
        assert abs(count - size * part / sum(ratio)) < 1


@pytest.mark.parametrize(("size", "counts"), [(10, [6, 2, 2]), (5, [3, 1, 1]), (3, [1, 1, 1]), (0, [0, 0, 0])])
def test_counts_by_hand(size, counts):
    assert count_splits(size, RATIO) == counts


@pytest.mark.parametrize(
    ("balance", "limit", "kept", "drops"),
    [
        (False, None, [50, 30], {"balance": 0, "limit": 0}),
        (True, None, [30, 30], {"balance": 20, "limit": 0}),
        (True, 41, [20, 20], {"balance": 20, "limit": 20}),
        (False, 70, [35, 30], {"balance": 0, "limit": 15}),
        (True, 1000, [30, 30], {"balance": 20, "limit": 0}),
    ],
)
def test_kept_and_dropped_by_hand(balance, limit, kept, drops):
    assert count_kept([50, 30], balance, limit) == (kept, drops)


@given(st.permutations(range(12)))
def test_order_depends_on_content_and_seed_alone(places):
    ids, _ = make_ids(12)
    np.testing.assert_array_equal(ids[places][order(ids[places], 7)], ids[order(ids, 7)])
    assert sorted(order(ids, 7).tolist()) == list(range(12))


def test_the_order_is_that_of_the_documented_hash():
    ids, _ = make_ids(30)
    digests = [hashlib.blake2b(one.tobytes(), key=(7).to_bytes(8, "little")).digest() for one in ids]
    assert order(ids, 7).tolist() == sorted(range(30), key=digests.__getitem__)


def test_another_seed_gives_another_order():
    ids, _ = make_ids(50)
    assert (order(ids, 1) != order(ids, 2)).any()


def test_splits_are_stratified_and_drops_counted():
    splits, drops = assign(40, 30)
    assert drops == {"balance": 10, "limit": 0}
    for own in (splits[:40], splits[40:]):
        assert [int(np.sum(own == index)) for index in range(3)] == [18, 6, 6]
    assert np.sum(splits == DROPPED) == 10


def test_a_lower_limit_keeps_a_part_of_the_same_examples():
    few, many = (np.flatnonzero(assign(60, 60, limit=limit)[0] != DROPPED) for limit in (40, 80))
    assert (len(few), len(many)) == (40, 80)
    assert set(few.tolist()) < set(many.tolist())


@pytest.mark.parametrize("balance", [True, False])
def test_the_class_with_too_few_texts_is_named(balance):
    with pytest.raises(UserError, match=r"class y must have texts .* at 6:2:2, got 2 to split \(2 after cleaning\)"):
        assign(40, 2, balance=balance)


def test_a_class_without_texts_is_named():
    with pytest.raises(UserError, match=r"class y must have texts .* got 0 to split"):
        assign(40, 0)
