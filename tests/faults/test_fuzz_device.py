"""Whatever is done to what a device gave, reading it gives the original counts or one clear line."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from student_jax.hardware.run_folder import JobRecord, RunFolder
from teacher_cache.sealed import write_sealed
from tests.faults.mutations import damage_bytes, forge_json
from tests.faults.outcomes import judge

FUZZ = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
COUNTS = {"001": 5, "111": 3}
FILES = ["budget.json", "jobs/0000.json", "parts/00000.json"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return RunFolder(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def whole(folder):
    folder.write_budget({"shots": 8})
    folder.write_job(0, "d", JobRecord(0, "job"))
    folder.write_part(0, "d", COUNTS)
    return {name: (folder.path / name).read_bytes() for name in FILES}, read(folder)


def read(folder):
    return folder.read_budget(), folder.read_job(0, "d"), folder.read_part(0, "d", 3, 8)


def restore(folder, files):
    for name, data in files.items():
        (folder.path / name).write_bytes(data)


@FUZZ
@given(data=st.data())
def test_damaged_bytes(folder, whole, data):
    files, truth = whole
    name = data.draw(st.sampled_from(FILES))
    restore(folder, {**files, name: data.draw(damage_bytes(files[name]))})
    outcome, complaint = judge(lambda: read(folder), truth)
    assert outcome in ("correct", "refused"), complaint


@FUZZ
@given(data=st.data())
def test_forged_counts_are_refused_or_are_counts(folder, whole, data):
    """With a seal that fits: what is let through has the run's bits and shots."""
    files, _ = whole
    restore(folder, files)
    content = data.draw(forge_json(json.loads(files["parts/00000.json"])))
    content.pop("seal", None)
    try:
        write_sealed(folder.path / "parts/00000.json", content)
    except ValueError:  # NaN, or half of a surrogate pair: no file
        return
    outcome, complaint = judge(lambda: check(folder.read_part(0, "d", 3, 8)), 8)
    assert outcome in ("correct", "refused"), complaint


def check(counts):
    assert all(len(string) == 3 for string in counts)
    return sum(counts.values())


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"00": 8}, "strings of 3 bits"),
        ({"00x": 8}, "strings of 3 bits"),
        ({"000": 10**12}, "counts from 1 to 8"),
        ({"000": True, "001": 7}, "counts from 1 to 8"),
        ({"000": 7}, "8 shots"),
    ],
)
def test_counts_that_lie(tmp_path, counts, message):
    folder = RunFolder(tmp_path)
    folder.write_part(0, "d", counts)
    outcome, complaint = judge(lambda: folder.read_part(0, "d", 3, 8), None)
    assert (outcome, message in complaint) == ("refused", True), complaint


def test_a_file_too_large_is_not_read(tmp_path):
    folder = RunFolder(tmp_path)
    folder.write_part(0, "d", COUNTS)
    with (tmp_path / "parts/00000.json").open("ab") as file:
        file.truncate(1 << 40)
    outcome, complaint = judge(lambda: folder.read_part(0, "d", 3, 8), None)
    assert (outcome, "must have at most" in complaint) == ("refused", True)
