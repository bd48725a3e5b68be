"""Whatever is done to a manifest or a part, reading gives the original numbers or one clear line, and little memory."""

import dataclasses
import hashlib
import json
import struct
from pathlib import Path
from unittest.mock import ANY

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from teacher_cache.errors import UserError
from teacher_cache.reader import open_cache
from teacher_cache.sealed import write_sealed
from teacher_cache.verify import diff_caches, inspect_cache, verify_cache
from teacher_cache.writer import Staging
from tests.faults.mutations import damage_bytes, forge_json
from tests.faults.outcomes import judge
from tests.teacher_cache.conftest import MAKERS, QUALITY, fill, make_job

# Reading the whole cache takes some 10 KiB of Arrow's memory.
MOST_BYTES = 64 << 20
SOUND = ("correct", "refused")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("fuzz")
    staging = Staging(make_job(), place / "work", MAKERS)
    fill(staging)
    staging.publish(place / "inner" / "cache", QUALITY, {"pyarrow": "1"})
    return place / "inner" / "cache"


def read(folder):
    cache = open_cache(folder, {})
    rows = cache.read()
    return cache.manifest, [None if value is None else value.tobytes() for value in dataclasses.astuple(rows)]


@pytest.fixture(scope="module")
def whole(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}, read(folder)


def restore(folder, files):
    for path in folder.iterdir():
        if path.name not in files or path.read_bytes() != files[path.name]:
            path.unlink()
    for name, data in files.items():
        if not (folder / name).exists():
            (folder / name).write_bytes(data)


FUZZ = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@FUZZ
@given(data=st.data())
def test_damaged_bytes(folder, whole, data):
    files, truth = whole
    name = data.draw(st.sampled_from(sorted(files)))
    try:
        (folder / name).write_bytes(data.draw(damage_bytes(files[name])))
        outcome, complaint = judge(lambda: read(folder), truth)
        assert outcome in SOUND, complaint
    finally:
        restore(folder, files)
    assert [path.name for path in folder.parent.iterdir()] == ["cache"]


@FUZZ
@given(data=st.data())
def test_forged_manifests(folder, whole, data):
    """Sealed anew: the rows that can still be read are the original ones, and every command ends in one line."""
    files, (_, rows) = whole
    content = json.loads(files["manifest.json"])
    del content["seal"]
    forged = data.draw(forge_json(content))
    try:
        try:
            write_sealed(folder / "manifest.json", forged)
        except ValueError:  # NaN, which no seal fits
            (folder / "manifest.json").write_text(json.dumps({**forged, "seal": "0" * 64}))
        for use in (read, inspect_cache, lambda one: verify_cache(one, None), lambda one: diff_caches(one, one)):
            outcome, complaint = judge(lambda use=use: use(folder), (ANY, rows) if use is read else ANY)
            assert outcome in SOUND, complaint
    finally:
        restore(folder, files)
    assert [path.name for path in folder.parent.iterdir()] == ["cache"]


@settings(FUZZ, max_examples=300)
@given(data=st.data())
def test_forged_parts(folder, whole, data):
    """Checksums made to fit: Parquet's own footers, headers and counts lie, and no memory is spent on them."""
    files, _ = whole
    part = bytearray(files["part-00001.parquet"])
    footer = struct.unpack("<I", part[-8:-4])[0] + 8
    start = data.draw(st.sampled_from([0, len(part) - footer]))
    end = len(part) if start else 200
    part[start:end] = data.draw(damage_bytes(bytes(part[start:end])))
    content = json.loads(files["manifest.json"])
    del content["seal"]
    content["parts"][1] |= {"bytes": len(part), "sha256": hashlib.sha256(part).hexdigest()}
    most = max(pa.default_memory_pool().max_memory(), pa.total_allocated_bytes() + MOST_BYTES)
    try:
        (folder / "part-00001.parquet").write_bytes(part)
        write_sealed(folder / "manifest.json", content)
        outcome, complaint = judge(lambda: read(folder), ANY)
        assert outcome in SOUND, complaint
    finally:
        restore(folder, files)
    assert pa.default_memory_pool().max_memory() <= most


def test_a_manifest_that_claims_a_million_million_rows(folder, whole):
    files, _ = whole
    content = json.loads(files["manifest.json"])
    del content["seal"]
    content |= {"rows": 10**12, "rows_per_part": 10**12}
    content["parts"] = [{**content["parts"][0], "rows": 10**12}]
    try:
        write_sealed(folder / "manifest.json", content)
        with pytest.raises(UserError, match="part 0 must fit in 1073741824 bytes of memory"):
            read(folder)
    finally:
        restore(folder, files)
