"""The join of features and cache, by hand and with every way in which ids can disagree."""

import numpy as np
import pytest

from student_jax.data.dataset import join_dataset
from student_jax.data.features import Features
from teacher_cache.errors import UserError
from teacher_cache.reader import CacheRows


def make_ids(*numbers):
    return np.array([bytes([number]) * 16 for number in numbers], dtype="V16")


def make_features(*numbers):
    return Features(make_ids(*numbers), np.array([[number, -number] for number in numbers], np.float32), "")


def make_rows(*numbers, splits=None):
    """A cache whose logits and labels are made of the examples' numbers."""
    logits = np.array([[number, 0] for number in numbers], np.float32)
    split = np.array(splits if splits is not None else [number % 3 for number in numbers], np.int8)
    return CacheRows(make_ids(*numbers), split, np.array(numbers, np.int32) % 2, logits, logits, None)


def test_rows_meet_by_id_whatever_their_order():
    dataset = join_dataset(make_features(5, 1, 3, 2, 4), make_rows(3, 1, 2, 4, 5))
    for index, name in enumerate(("train", "validation", "test")):
        expected = [number for number in (5, 1, 3, 2, 4) if number % 3 == index]
        np.testing.assert_array_equal(dataset[name].features[:, 0], expected)
        np.testing.assert_array_equal(dataset[name].logits[:, 0], expected)
        np.testing.assert_array_equal(dataset[name].labels, np.array(expected) % 2)


def test_the_pool_is_a_split_without_labels_where_there_is_one():
    dataset = join_dataset(make_features(1, 2, 3, 7), make_rows(7, 1, 2, 3, splits=[3, 0, 1, 2]))
    assert [*dataset] == ["train", "validation", "test", "pool"]
    np.testing.assert_array_equal(dataset["pool"].features, [[7, -7]])
    assert "pool" not in join_dataset(make_features(1, 2, 3), make_rows(1, 2, 3))


def test_what_the_cache_leaves_out_is_taken_out_of_the_features():
    dataset = join_dataset(make_features(4, 1, 2, 9, 3), make_rows(1, 2, 3), make_ids(4, 9))
    assert {name: split.features[0, 0] for name, split in dataset.items()} == {"train": 3, "validation": 1, "test": 2}
    with pytest.raises(UserError, match=r"1 example ids .* that the cache leaves out must have features, got none"):
        join_dataset(make_features(1, 2, 3, 4), make_rows(1, 2, 3), make_ids(4, 9))


def test_missing_ids_are_counted_and_one_is_named():
    with pytest.raises(UserError, match=f"2 example ids .first {'04' * 16}. must be in the teacher cache"):
        join_dataset(make_features(1, 2, 3, 4, 5), make_rows(1, 2, 3))


def test_extra_ids_are_counted_and_one_is_named():
    with pytest.raises(UserError, match=f"1 example ids .first {'04' * 16}. must have features"):
        join_dataset(make_features(1, 2, 3), make_rows(1, 2, 3, 4))


def test_duplicate_ids_are_counted_and_one_is_named():
    with pytest.raises(UserError, match=f"1 example ids .first {'02' * 16}. must occur once in the features"):
        join_dataset(make_features(1, 2, 2, 3), make_rows(1, 2, 3))
    with pytest.raises(UserError, match="must occur once in the teacher cache"):
        join_dataset(make_features(1, 2, 3), make_rows(1, 2, 3, 3))


def test_a_split_without_examples_is_refused():
    with pytest.raises(UserError, match="split test must have at least one example, got 0"):
        join_dataset(make_features(1, 2), make_rows(1, 2, splits=[0, 1]))
