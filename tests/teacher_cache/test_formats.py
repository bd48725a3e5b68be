"""Caches that older versions wrote are read for ever: what a teacher has said is dear.

cache_format_1 is of version 0.1 (commit c2a032c): the tickets of tests/pipeline/upgrade, 140 texts in parts of 100,
with the hidden states of two layers.
"""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from teacher_cache.manifest import read_manifest
from teacher_cache.reader import open_cache
from teacher_cache.schema import SPLITS
from teacher_cache.verify import verify_cache

FORMAT_1 = Path(__file__).with_name("cache_format_1")


def test_format_1_is_whole_and_is_who_it_was():
    assert verify_cache(FORMAT_1, None) == {
        "rows": 140,
        "parts": 2,
        **dict.fromkeys(("sha256", "softmax", "hidden", "ids"), "ok"),
    }
    manifest = read_manifest(FORMAT_1)
    assert manifest.fingerprint == "e767faec65ebfabb4949efceb5d9ced695d49c96f26754a7d7b3dbb206ede7bb"
    assert (manifest.task, manifest.teacher, manifest.labels) == ("tickets", "small", ("complaint", "praise"))


def test_format_1_is_read_to_the_last_number():
    """Beside Parquet read without our reader."""
    rows = open_cache(FORMAT_1, {"task": "tickets", "teacher": "small"}).read()
    tables = [pq.read_table(path) for path in sorted(FORMAT_1.glob("*.parquet"))]
    expected = {
        name: [value for table in tables for value in table[name].to_pylist()] for name in tables[0].schema.names
    }
    assert [bytes(one) for one in rows.example_id] == expected["example_id"]
    assert [SPLITS[index] for index in rows.split] == expected["split"]
    assert rows.label.tolist() == expected["label"]
    for name in ("logits", "probabilities", "hidden"):
        np.testing.assert_array_equal(getattr(rows, name).reshape(140, -1), np.array(expected[name]), strict=False)
    np.testing.assert_allclose(rows.logits[-1], [-0.01850624941289425, -0.08230102807283401], rtol=1e-7)
