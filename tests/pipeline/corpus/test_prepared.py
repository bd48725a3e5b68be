"""What stages read of the examples: labelled texts before the pool, and of the pool no more than asked for."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.corpus.examples import make_table
from pipeline.corpus.prepared import read_labelled, read_training
from teacher_cache.schema import NO_LABEL, POOLED_EXAMPLES, SPLITS


@pytest.fixture
def folder(tmp_path):
    """Six texts: pool, train, test, pool, train, pool."""
    splits = np.array([SPLITS.index(name) for name in ("pool", "train", "test", "pool", "train", "pool")], np.int8)
    ids, classes = np.arange(12, dtype=np.uint64).view("V16"), np.array([9, 1, 0, 9, 0, 9], np.int32)
    table = make_table(ids, splits, classes, pa.chunked_array([["a", "b", "c", "d", "e", "f"]]))
    pq.write_table(table, tmp_path / "examples.parquet", row_group_size=2)
    return tmp_path


def test_labelled_texts_go_first(folder):
    assert read_training(folder) == (["b", "e", "a", "d", "f"], [1, 0, *[NO_LABEL] * 3])
    assert read_training(folder, most=4) == (["b", "e", "a", "d"], [1, 0, *[NO_LABEL] * 2])
    assert read_training(folder, most=1) == (["b"], [1])
    assert read_training(folder, pool=1) == (["b", "e", "a"], [1, 0, NO_LABEL])


def test_what_is_fine_tuned_on_has_no_pool(folder):
    table = read_labelled(folder)
    assert table.schema == POOLED_EXAMPLES
    assert (table["text"].to_pylist(), table["label"].to_pylist()) == (["b", "c", "e"], [1, 0, 0])
