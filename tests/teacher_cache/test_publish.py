"""A reader sees the whole of what is published, or nothing of it."""

import errno
import fcntl
import json
import os
from pathlib import Path

import pytest

from teacher_cache.errors import UserError
from teacher_cache.publish import publish_file, publish_folder, try_lock, write_json


def test_a_file_that_fails_halfway_leaves_the_old_one(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError), publish_file(target) as temporary:
        temporary.write_text(f"new {1 / 0}")
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_folder_replaces_the_old_one_whole(tmp_path):
    target = tmp_path / "deep" / "folder"
    for name in ("one", "two"):
        with publish_folder(target) as temporary:
            (temporary / name).write_text(name)
            assert not (target / name).exists()
    assert os.listdir(target) == ["two"]
    assert os.listdir(target.parent) == ["folder"]


def test_a_folder_that_fails_halfway_leaves_the_old_one(tmp_path):
    target = tmp_path / "folder"
    with publish_folder(target) as temporary:
        (temporary / "kept").write_text("kept")
    with pytest.raises(ZeroDivisionError), publish_folder(target) as temporary:
        (temporary / "new").write_text(f"new {1 / 0}")
    assert os.listdir(target) == ["kept"]
    assert os.listdir(tmp_path) == ["folder"]


def test_what_is_published_is_on_the_disk_before_it_is_seen(tmp_path, monkeypatch):
    """Files, folders in it, and the folder itself, whose entries a power cut would else take; then the parent."""
    synced = []
    sync = os.fsync

    def watch(descriptor):
        sync(descriptor)
        synced.append((os.readlink(f"/proc/self/fd/{descriptor}"), (tmp_path / "folder").exists()))

    monkeypatch.setattr(os, "fsync", watch)
    with publish_folder(tmp_path / "folder") as temporary:
        (temporary / "inner").mkdir()
        (temporary / "inner/file").touch()
    expected = [(str(path), False) for path in (temporary, temporary / "inner", temporary / "inner/file")]
    assert sorted(synced[:-1]) == expected
    assert synced[-1] == (str(tmp_path), True)


@pytest.fixture
def umask():
    """Sets the process's umask, and gives it back."""
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


@pytest.mark.parametrize(
    ("mask", "file", "folder"), [(0o002, 0o664, 0o775), (0o022, 0o644, 0o755), (0o077, 0o600, 0o700)]
)
def test_modes_are_what_the_umask_leaves(tmp_path, umask, mask, file, folder):
    """Members of a group with umask 002 may write each other's; what a library writes for its owner is lent to read."""
    umask(mask)
    write_json(tmp_path / "a.json", {"b": 1})
    with publish_folder(tmp_path / "folder") as temporary:
        for name, mode in (("private", 0o600), ("kept", 0o444)):
            (temporary / name).touch()
            (temporary / name).chmod(mode)
        (temporary / "plain").touch()
        (temporary / "inner").mkdir()
    modes = {path.name: path.stat().st_mode & 0o777 for path in [*tmp_path.iterdir(), *(tmp_path / "folder").iterdir()]}
    lent = 0o600 | file & 0o444
    assert modes == {
        "a.json": file, "folder": folder, "plain": file, "inner": folder, "kept": 0o444, "private": lent
    }  # fmt: skip


def test_an_interrupt_between_two_renames_leaves_the_old_folder(tmp_path, monkeypatch):
    target = tmp_path / "folder"
    with publish_folder(target) as temporary:
        (temporary / "kept").touch()
    rename, calls = Path.rename, []

    def interrupt(path, other):
        calls.append(path)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return rename(path, other)

    monkeypatch.setattr(Path, "rename", interrupt)
    with pytest.raises(KeyboardInterrupt), publish_folder(target):
        pass
    assert os.listdir(tmp_path) == ["folder"]
    assert os.listdir(target) == ["kept"]


def test_a_lock_is_had_by_one_alone(tmp_path):
    with (tmp_path / "lock").open("a") as one, (tmp_path / "lock").open("a") as other:
        assert try_lock(one)
        assert not try_lock(other)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS])
def test_a_file_system_without_locks_is_no_other_process(tmp_path, monkeypatch, number):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with (tmp_path / "lock").open("a") as file, pytest.raises(UserError, match="a file system with locks") as caught:
        try_lock(file)
    assert os.strerror(number) in str(caught.value)


def test_json_without_nan(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"loss": float("nan")})
    assert os.listdir(tmp_path) == []
    write_json(tmp_path / "a.json", {"label": "ü"})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"label": "ü"}
