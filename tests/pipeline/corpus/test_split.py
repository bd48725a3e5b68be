from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.corpus.split import assign_splits, count_kept, count_splits, order
from teacher_cache.errors import UserError

RATIO = [6, 2, 2]


def make_ids(prefix, count):
    return [f"{prefix}{number}".encode() for number in range(count)]


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


@given(st.sets(st.binary(min_size=1, max_size=4)), st.randoms(use_true_random=False))
def test_order_depends_on_content_and_seed_alone(ids, random):
    shuffled = sorted(ids)
    random.shuffle(shuffled)
    assert order(shuffled, 7) == order(ids, 7)
    assert sorted(order(ids, 7)) == sorted(ids)


def test_another_seed_gives_another_order():
    assert order(make_ids("a", 50), 1) != order(make_ids("a", 50), 2)


def test_splits_are_stratified_and_drops_counted():
    split_of, drops = assign_splits({"x": make_ids("x", 40), "y": make_ids("y", 30)}, RATIO, True, None, 3)
    assert drops == {"balance": 10, "limit": 0}
    for name in ("x", "y"):
        splits = Counter(split for example, split in split_of.items() if example.startswith(name.encode()))
        assert splits == {"train": 18, "validation": 6, "test": 6}


def test_a_lower_limit_keeps_a_part_of_the_same_examples():
    classes = {"x": make_ids("x", 60), "y": make_ids("y", 60)}
    few, _ = assign_splits(classes, RATIO, True, 40, 3)
    many, _ = assign_splits(classes, RATIO, True, 80, 3)
    assert (len(few), len(many)) == (40, 80)
    assert set(few) < set(many)


@pytest.mark.parametrize("balance", [True, False])
def test_the_class_with_too_few_texts_is_named(balance):
    with pytest.raises(UserError, match=r"class y must have texts .* at 6:2:2, got 2 to split \(2 after cleaning\)"):
        assign_splits({"x": make_ids("x", 40), "y": make_ids("y", 2)}, RATIO, balance, None, 0)


def test_a_class_without_texts_is_named():
    with pytest.raises(UserError, match=r"class y must have texts .* got 0 to split"):
        assign_splits({"x": make_ids("x", 40), "y": []}, RATIO, True, None, 0)
