"""Every part is checked before a number of it is used; a foreign or damaged cache is refused by name."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from teacher_cache.errors import UserError
from teacher_cache.manifest import hash_file, read_manifest
from teacher_cache.reader import ids_to_numpy, open_cache
from teacher_cache.schema import SPLITS
from tests.teacher_cache.conftest import edit_manifest, make_columns, make_job


def test_rows_come_back_as_written(make_cache):
    rows = open_cache(make_cache(), {}).read()
    job = make_job()
    expected = [make_columns(job, index) for index in range(job.parts)]
    ids = b"".join(column.as_py() for part in expected for column in part["example_id"])
    assert rows.example_id.tobytes() == ids
    assert [SPLITS[index] for index in rows.split] == [name for part in expected for name in part["split"].to_pylist()]
    np.testing.assert_array_equal(rows.label, np.concatenate([part["label"].to_numpy() for part in expected]))
    logits = np.concatenate([part["logits"].flatten().to_numpy().reshape(-1, 3) for part in expected])
    np.testing.assert_array_equal(rows.logits, logits)
    np.testing.assert_allclose(rows.probabilities, np.exp(logits) / np.exp(logits).sum(1, keepdims=True), rtol=1e-5)
    assert rows.hidden is None


def test_identity_is_checked_by_name(make_cache):
    folder = make_cache()
    open_cache(folder, {"task": "weather", "labels": ["dry", "wet", "icy"], "identity.dtype": "float32"})
    with pytest.raises(UserError, match="teacher must be 'fool', got 'sage'"):
        open_cache(folder, {"teacher": "fool"})
    with pytest.raises(UserError, match=r"identity\.dtype must be 'bfloat16', got 'float32'"):
        open_cache(folder, {"identity.dtype": "bfloat16"})
    with pytest.raises(UserError, match=r"identity\.adapter must be 'a', got None"):
        open_cache(folder, {"identity.adapter": "a"})


def test_fingerprint_ignores_versions_alone(make_cache):
    folder = make_cache()
    fingerprint = read_manifest(folder).fingerprint
    edit_manifest(folder, versions={"pyarrow": "99"})
    assert read_manifest(folder).fingerprint == fingerprint
    edit_manifest(folder, teacher="fool")
    assert read_manifest(folder).fingerprint != fingerprint


def test_page_checksums_stand_even_where_the_manifest_is_edited(make_cache):
    """Whoever rewrites the SHA-256 after a flip in a page is still refused."""
    folder = make_cache()
    path = folder / "part-00000.parquet"
    column = pq.ParquetFile(path).metadata.row_group(0).column(3)
    data = bytearray(path.read_bytes())
    data[column.data_page_offset + column.total_compressed_size - 1] ^= 1
    path.write_bytes(data)
    parts = json.loads((folder / "manifest.json").read_text())["parts"]
    parts[0]["sha256"] = hash_file(path)
    edit_manifest(folder, parts=parts)
    with pytest.raises(UserError, match=r"part-00000\.parquet cannot be read"):
        open_cache(folder, {}).read()


def test_a_missing_a_cut_and_a_left_over_part(make_cache):
    folder = make_cache()
    path = folder / "part-00002.parquet"
    data = path.read_bytes()
    path.unlink()
    with pytest.raises(UserError, match=r"part-00002\.parquet is missing"):
        open_cache(folder, {})
    path.write_bytes(data[:-1])
    with pytest.raises(UserError, match=f"must have {len(data)} bytes, got {len(data) - 1}"):
        open_cache(folder, {})
    path.write_bytes(data)
    (folder / "part-00003.parquet").write_bytes(data)
    with pytest.raises(UserError, match=r"only its manifest's parts, got part-00003\.parquet too"):
        open_cache(folder, {})


def test_a_folder_without_a_manifest_is_no_cache(make_cache):
    folder = make_cache()
    (folder / "manifest.json").unlink()
    with pytest.raises(UserError, match=r"is not a teacher cache: it has no manifest\.json"):
        open_cache(folder, {})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "format must be 1, got 2"),
        ({"rows": 24}, "the parts' rows must add up to rows"),
        ({"rows": -1}, "rows must be a whole number"),
        ({"rows": True}, "rows must be a whole number"),
        ({"labels": ["dry"]}, "labels must be 2 or more"),
        ({"labels": ["dry", "dry"]}, "labels must be 2 or more"),
        ({"surprise": 1}, "its keys must be"),
        ({"hidden": 1 << 40}, "hidden must be"),
        ({"hidden": 8}, "hidden must be the number of identity.hidden_layers times identity.hidden_width"),
        ({"identity": {"hidden_layers": "1", "hidden_width": 0}}, "hidden must be the number of"),
        ({"parts": [{"name": "../x", "rows": 1, "bytes": 1, "sha256": "0" * 64}]}, "must be called part-00000"),
        (
            {"parts": [{"name": "part-00000.parquet", "rows": 1, "bytes": 1 << 40, "sha256": "0" * 64}]},
            "bytes out of range",
        ),
        ({"parts": [{"name": "part-00000.parquet", "rows": 1, "bytes": 1, "sha256": "0"}]}, "64 hex digits"),
        ({"parts": "part"}, "parts must be a list"),
    ],
)
def test_an_edited_manifest_is_refused(make_cache, changes, message):
    folder = make_cache()
    edit_manifest(folder, **changes)
    with pytest.raises(UserError, match=message):
        open_cache(folder, {})


def test_a_manifest_that_is_not_json(make_cache):
    folder = make_cache()
    (folder / "manifest.json").write_bytes(b"\xff{")
    with pytest.raises(UserError, match="must be a JSON object: it is damaged"):
        open_cache(folder, {})


def test_an_example_that_stands_twice(tmp_path, make_cache):
    folder = make_cache(rows=20)
    parts = json.loads((folder / "manifest.json").read_text())["parts"]
    (folder / "part-00001.parquet").write_bytes((folder / "part-00000.parquet").read_bytes())
    parts[1] = {**parts[0], "name": "part-00001.parquet"}
    edit_manifest(folder, parts=parts)
    with pytest.raises(UserError, match="every example must have one row, got 10 more"):
        open_cache(folder, {}).read()


def test_ids_of_a_slice_start_where_the_slice_does():
    column = pa.array([bytes([row]) * 16 for row in range(4)], pa.binary(16))
    assert ids_to_numpy(column[2:]).tobytes() == bytes([2]) * 16 + bytes([3]) * 16
