"""A reader sees the whole of what is published, or nothing of it."""

import json
import os

import pytest

from teacher_cache.publish import publish_file, publish_folder, write_json


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


def test_published_files_can_be_read_by_the_team(tmp_path):
    write_json(tmp_path / "a.json", {"b": 1})
    with publish_folder(tmp_path / "folder"):
        pass
    assert (tmp_path / "a.json").stat().st_mode & 0o444 == 0o444
    assert (tmp_path / "folder").stat().st_mode & 0o555 == 0o555


def test_json_without_nan(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"loss": float("nan")})
    assert os.listdir(tmp_path) == []
    write_json(tmp_path / "a.json", {"label": "ü"})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"label": "ü"}
