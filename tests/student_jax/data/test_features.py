"""features.parquet: what is written comes back, however it is cut into blocks, and damage is noticed."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from student_jax.data import features as features_module
from student_jax.data.features import read_features, write_features
from teacher_cache.errors import UserError
from teacher_cache.schema import features_schema


def test_features_file_round_trip(tmp_path):
    ids = pa.chunked_array([pa.array([b"a" * 16, b"b" * 16], pa.binary(16))])
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    write_features(tmp_path / "features.parquet", ids, [values], values.shape[1], "fingerprint")
    found = read_features(tmp_path / "features.parquet")
    assert [one.tobytes() for one in found.ids] == [b"a" * 16, b"b" * 16]
    np.testing.assert_array_equal(found.values, values)
    assert found.examples == "fingerprint"


@pytest.mark.parametrize("cut", [1, 16, 17, 100])
def test_the_bytes_do_not_depend_on_the_blocks(tmp_path, monkeypatch, cut):
    """Those of version 0.1, which wrote one table."""
    monkeypatch.setattr(features_module, "GROUP_BYTES", 16 * 4 * 3)
    ids = pa.chunked_array([pa.array([bytes([k]) * 16 for k in range(100)], pa.binary(16))])
    values = np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32)
    blocks = (values[start : start + cut] for start in range(0, 100, cut))
    write_features(tmp_path / "features.parquet", ids, blocks, 3, "f")
    schema = features_schema(3).with_metadata({"examples": "f"})
    column = pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), 3)
    pq.write_table(
        pa.Table.from_arrays([ids, column], schema=schema), tmp_path / "whole.parquet",
        row_group_size=16, compression="none", use_dictionary=False, write_page_checksum=True,
    )  # fmt: skip
    assert (tmp_path / "features.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()
    with pytest.raises(ValueError, match="a vector for each of 100 ids, got 99"):
        write_features(tmp_path / "short.parquet", ids, [values[1:]], 3, "f")


def test_a_flipped_bit_in_a_features_file_is_noticed(tmp_path):
    path = tmp_path / "features.parquet"
    ids = pa.chunked_array([pa.array([bytes([k]) * 16 for k in range(50)], pa.binary(16))])
    write_features(path, ids, [np.random.default_rng(0).normal(size=(50, 40)).astype(np.float32)], 40, "f")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match="cannot be read"):
        read_features(path)


def test_features_that_are_not_finite_are_refused(tmp_path):
    ids = pa.chunked_array([pa.array([b"a" * 16], pa.binary(16))])
    write_features(tmp_path / "features.parquet", ids, [np.array([[np.nan]], np.float32)], 1, "f")
    with pytest.raises(UserError, match="must be finite"):
        read_features(tmp_path / "features.parquet")
    with pytest.raises(UserError, match="must exist"):
        read_features(tmp_path / "none.parquet")
