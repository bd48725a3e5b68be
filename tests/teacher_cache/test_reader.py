"""Every part is checked before a number of it is used; a foreign or damaged cache is refused by name."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from teacher_cache.errors import UserError
from teacher_cache.manifest import hash_file, read_manifest
from teacher_cache.reader import ids_to_numpy, open_cache
from teacher_cache.schema import NO_LABEL, SPLITS, cache_schema
from tests.teacher_cache.conftest import edit_manifest, make_columns, make_job


def test_rows_come_back_as_written(make_cache):
    rows = open_cache(make_cache(), {}).read()
    job = make_job()
    expected = [make_columns(job, index) for index in range(job.parts)]
    ids = b"".join(column.as_py() for part in expected for column in part["example_id"])
    assert rows.example_id.tobytes() == ids
    assert [SPLITS[index] for index in rows.split] == [name for part in expected for name in part["split"].to_pylist()]
    labels = [label for part in expected for label in part["label"].to_pylist()]
    assert rows.label.tolist() == [NO_LABEL if label is None else label for label in labels]
    assert rows.label.dtype == np.int32
    assert {SPLITS[split] for split in rows.split[rows.label == NO_LABEL]} == {"pool"}
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
        ({"format": 3}, "format must be 1 or 2, got 3"),
        ({"format": True}, "format must be 1 or 2, got True"),
        ({"format": 1}, "its keys must be"),
        ({"left_out": "0f" * 16}, "left_out must be at most 1048576 different ids"),
        ({"left_out": ["f0" * 16, "0f" * 16]}, "left_out must be .* in rising order"),
        ({"left_out": ["0f" * 16] * 2}, "left_out must be"),
        ({"left_out": ["0F" * 16]}, "left_out must be .* ids of 32 hex digits"),
        ({"left_out": ["0f" * 15]}, "left_out must be"),
        ({"left_out": [15]}, "left_out must be"),
        ({"left_out": [f"{number:032x}" for number in range((1 << 20) + 1)]}, "left_out must be at most 1048576"),
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


def test_an_example_that_is_left_out_and_has_a_row(make_cache):
    folder = make_cache()
    assert [bytes(one) for one in open_cache(folder, {}).left_out] == [b"\x0f" * 16, b"\xf0" * 16]
    edit_manifest(folder, left_out=[bytes([1, 4]).hex() * 8])
    with pytest.raises(UserError, match="an example of left_out must have no row, got 1 with one"):
        open_cache(folder, {}).read()


def relabel(folder, label):
    """Give every row of a part the labels of `label`, and make the manifest fit, as a forger would."""
    path, schema = folder / "part-00000.parquet", cache_schema(3)
    table = pq.read_table(path)
    pq.write_table(table.set_column(2, schema.field("label"), pa.array(label(table), pa.int32())).cast(schema), path)
    parts = json.loads((folder / "manifest.json").read_text())["parts"]
    parts[0] |= {"sha256": hash_file(path), "bytes": path.stat().st_size}
    edit_manifest(folder, parts=parts)


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (lambda table: [1] * len(table), "rows of the pool must have no label, got 3 with"),
        (lambda table: [None] * len(table), "labels must be from 0 to 2, got none to none"),
        (lambda table: [None if old is None else 3 for old in table["label"].to_pylist()], "got 3 to 3"),
    ],
)
def test_labels_stand_outside_of_the_pool_and_there_alone(make_cache, label, message):
    folder = make_cache()
    relabel(folder, label)
    with pytest.raises(UserError, match=message):
        open_cache(folder, {}).read()


def test_no_array_has_an_element_of_the_missing_label():
    """Where -1 would read the last one."""
    with pytest.raises(IndexError):
        np.arange(3)[np.array([NO_LABEL])]


def test_ids_of_a_slice_start_where_the_slice_does():
    column = pa.array([bytes([row]) * 16 for row in range(4)], pa.binary(16))
    assert ids_to_numpy(column[2:]).tobytes() == bytes([2]) * 16 + bytes([3]) * 16
