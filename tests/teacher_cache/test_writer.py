"""Staging: what is finished is kept, the finished bytes do not tell of it, one writer at a time."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest

from teacher_cache.errors import UserError
from teacher_cache.writer import Staging, lock_job, remove_leftovers
from tests.teacher_cache.conftest import MAKERS, QUALITY, fill, make_columns, make_job


def read_bytes(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_parts_cover_the_rows():
    job = make_job()
    assert [job.rows_of(index) for index in range(job.parts)] == [10, 10, 5]


def test_resumed_bytes_equal_undisturbed_ones(tmp_path, make_cache):
    undisturbed = read_bytes(make_cache())
    staging = Staging(make_job(), tmp_path / "other", MAKERS)
    staging.write_part(1, make_columns(staging.job, 1))
    again = Staging(make_job(), tmp_path / "other", MAKERS)
    assert fill(again) == [0, 2]
    again.publish(tmp_path / "resumed", QUALITY, {"pyarrow": "1"})
    assert read_bytes(tmp_path / "resumed") == undisturbed


@pytest.mark.parametrize("damage", ["flip", "cut", "vanish", "unrecorded"])
def test_a_damaged_part_is_computed_again(tmp_path, damage):
    staging = Staging(make_job(), tmp_path, MAKERS)
    fill(staging)
    part, done = staging.folder / "parts/part-00001.parquet", staging.folder / "done/part-00001.json"
    data = bytearray(part.read_bytes())
    if damage == "flip":
        data[len(data) // 2] ^= 1
        part.write_bytes(data)
    elif damage == "cut":
        part.write_bytes(data[:-1])
    elif damage == "vanish":
        part.unlink()
    else:
        done.write_text('{"name": 3')
    assert fill(staging) == [1]


def test_publishing_twice_needs_no_computing(tmp_path):
    """A kill after publishing makes DVC remove the cache: staging must still hold it all."""
    staging = Staging(make_job(), tmp_path / "work", MAKERS)
    fill(staging)
    staging.publish(tmp_path / "cache", QUALITY, {})
    first = read_bytes(tmp_path / "cache")
    for path in (tmp_path / "cache").iterdir():
        path.unlink()
    again = Staging(make_job(), tmp_path / "work", MAKERS)
    assert again.find_missing() == []
    again.publish(tmp_path / "cache", QUALITY, {})
    assert read_bytes(tmp_path / "cache") == first


@pytest.mark.parametrize("change", [{"identity": {"base": "c" * 64}}, {"rows_per_part": 9}, {"teacher": "fool"}])
def test_another_job_reuses_nothing(tmp_path, change):
    fill(Staging(make_job(), tmp_path, MAKERS))
    other = Staging(make_job(**change), tmp_path, MAKERS)
    assert other.find_missing() == list(range(other.job.parts))


def test_other_code_reuses_nothing_and_what_was_left_behind_goes(tmp_path):
    work = tmp_path / "work"
    fill(Staging(make_job(), work, MAKERS))
    other = Staging(make_job(), work, {"code": "2"})
    assert len(other.find_missing()) == 3
    part = other.write_part(0, make_columns(other.job, 0))
    (other.folder / "parts" / f".{part.name}.12345678").touch()
    (tmp_path / ".cache.12345678").mkdir()
    remove_leftovers(other, tmp_path / "cache")
    assert [path.name for path in work.iterdir()] == [other.folder.name]
    assert [path.name for path in (other.folder / "parts").iterdir()] == [part.name]
    assert [path.name for path in tmp_path.iterdir()] == ["work"]


def test_an_unfinished_job_is_not_published(tmp_path):
    staging = Staging(make_job(), tmp_path / "work", MAKERS)
    staging.write_part(0, make_columns(staging.job, 0))
    with pytest.raises(UserError, match="part 1 is missing"):
        staging.publish(tmp_path / "cache", QUALITY, {})
    assert not (tmp_path / "cache").exists()


def test_a_part_of_the_wrong_length_is_refused(tmp_path):
    staging = Staging(make_job(), tmp_path, MAKERS)
    with pytest.raises(ValueError, match="part 2 must have 5 rows, got 10"):
        staging.write_part(2, make_columns(staging.job, 0))


def test_a_second_writer_is_refused_until_the_first_is_dead(tmp_path):
    script = textwrap.dedent("""
        import sys, time
        from pathlib import Path
        from teacher_cache.writer import lock_job
        with lock_job(Path(sys.argv[1])):
            print("locked", flush=True)
            time.sleep(60)
    """)
    first = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE)
    assert first.stdout is not None
    with first.stdout:
        assert first.stdout.readline() == b"locked\n"
        with (
            pytest.raises(UserError, match=f"written by process {first.pid} on {os.uname().nodename}"),
            lock_job(tmp_path),
        ):
            pass
        first.send_signal(signal.SIGKILL)
        first.wait()
    with lock_job(tmp_path):
        pass
