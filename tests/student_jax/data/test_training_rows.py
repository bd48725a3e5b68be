"""Labelled rows and pool, joined in memory and from a file, and subsets of the pool."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

from student_jax.data import features as features_module
from student_jax.data.dataset import Split, join_dataset
from student_jax.data.features import read_features, write_features
from student_jax.data.stored import StoredValues
from student_jax.data.training_rows import count_rows, join_pool, limit_pool
from teacher_cache.reader import CacheRows
from teacher_cache.schema import NO_LABEL, SPLITS

ROWS, POOL = 60, SPLITS.index("pool")


@pytest.fixture(params=["in memory", "in their file"])
def dataset(request, tmp_path, monkeypatch):
    """60 rows in row groups of 7, half of them pool, not in the order of the ids; row k says k everywhere."""
    monkeypatch.setattr(features_module, "GROUP_BYTES", 7 * 4 * 2)
    numbers, random = np.arange(ROWS), np.random.default_rng(0)
    values = np.stack([numbers, -numbers], axis=1).astype(np.float32)
    ids = pa.array([int(k).to_bytes(16, "big") for k in random.permutation(ROWS)], pa.binary(16))
    write_features(tmp_path / "features.parquet", pa.chunked_array([ids]), [values], 2, "")
    features = read_features(tmp_path / "features.parquet", memory=0 if request.param == "in their file" else None)
    split = random.permutation(np.repeat(np.array([0, 1, 2, POOL], np.int8), [20, 5, 5, 30]))
    label = np.where(split == POOL, NO_LABEL, numbers).astype(np.int32)
    return join_dataset(features, CacheRows(features.ids, split, label, values, values, None))


def test_every_row_keeps_its_own_and_knows_whether_it_has_a_label(dataset):
    joined = join_pool(dataset, None)
    assert isinstance(joined.features, StoredValues) == isinstance(dataset["train"].features, StoredValues)
    numbers = joined.features[:][:, 0]
    np.testing.assert_array_equal(joined.logits[:, 0], numbers)
    np.testing.assert_array_equal(joined.known, joined.labels != NO_LABEL)
    np.testing.assert_array_equal(joined.labels[joined.known], numbers[joined.known])
    assert joined.known.sum() == 20
    both = np.concatenate([dataset[name].features[:][:, 0] for name in ("train", "pool")])
    assert sorted(numbers) == sorted(both)
    expected = {
        ids.tobytes(): row for name in ("train", "pool") for ids, row in zip(*_name(dataset[name]), strict=True)
    }
    assert {ids.tobytes(): row for ids, row in zip(*_name(joined), strict=True)} == expected


def test_fewer_texts_of_the_pool_are_the_first_by_id_and_part_of_more(dataset):
    sizes = [0, 1, 12, 30, 99, None]
    pools = [
        {ids.tobytes() for ids in limit_pool(dataset, most).get("pool", Split([], [], [], [])).ids} for most in sizes
    ]
    assert [len(pool) for pool in pools] == [0, 1, 12, 30, 30, 30]
    assert all(fewer <= more for fewer, more in pairwise(pools))
    assert max(pools[2]) < min(pools[3] - pools[2])
    assert [count_rows(dataset, most) for most in sizes] == [len(join_pool(dataset, most).labels) for most in sizes]
    assert "pool" not in limit_pool(dataset, 0)
    assert join_pool(dataset, 0) is dataset["train"]


def _name(split):
    return split.ids, split.features[:][:, 0].tolist()
