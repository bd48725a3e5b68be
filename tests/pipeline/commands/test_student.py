"""Member B: a fresh clone, no torch, a folder as remote."""

import os
import shutil
import subprocess

import pytest
from ruamel.yaml import YAML

from tests.pipeline.conftest import list_run

PAIR = "emotion-tiny-llama-tiny"
STUDENTS = {f"train_student@{PAIR}", f"evaluate@{PAIR}", f"compare@{PAIR}-linear", "report"}


def read_lock(checkout):
    return YAML(typ="safe").load((checkout.folder / "dvc.lock").read_text())["stages"]


def find_key(checkout, out):
    """The checksum of the output at `out`."""
    (key,) = (o["md5"] for stage in read_lock(checkout).values() for o in stage["outs"] if o["path"] == out)
    return key


def find_object(checkout, remote, out):
    """The remote's file of the output at `out`."""
    key = find_key(checkout, out)
    return remote / "files/md5" / key[:2] / key[2:]


def test_a_member_without_torch_trains_students_alone(owner, member):
    assert member.call("python", "-c", "import torch").returncode == 1
    before = read_lock(member)
    # A smaller circuit for a quicker test; any student's number would do; the comparators' is another.
    changes = [
        ("qubits: 11", "qubits: 4"),
        ("learning_rate: 1.0e-2\n", "learning_rate: 4.0e-3\n"),
    ]  # of comparators, too
    for old, new in changes:
        member.edit(old, new)
    ran = member.stages("qdllm", "student", "--remote", str(owner.folder.parent / "remote"))
    assert sorted(ran) == ["compare", "evaluate", "report", "train_student"]
    assert not (member.folder / "data").exists()  # no text left its owner
    assert not (member.folder / "models").exists()
    after = read_lock(member)
    assert after.keys() == before.keys()
    assert {name for name in after if after[name] != before[name]} == STUDENTS

    again = member.run("qdllm", "student")
    assert list_run(again) == []
    assert "emotion-tiny" in again
    for new, old in changes:
        member.edit(old, new)
    assert member.stages("qdllm", "student") == []  # A's results on the same numbers came with the run-cache
    assert read_lock(member) == before


def test_a_comment_in_every_file_of_the_teachers_code_makes_no_teacher_stale(owner, member):
    """A member without torch goes on; what costs seconds runs again, for it depends on the cache's reader."""
    for folder in ("teacher_cache", "pipeline/corpus"):
        for path in (member.folder / folder).rglob("*.py"):
            path.write_text(f"{path.read_text()}\n# a comment\n")
    member.edit("qubits: 11", "qubits: 4")
    ran = member.stages("qdllm", "student", "--remote", str(owner.folder.parent / "remote"))
    assert sorted(ran) == ["compare", "evaluate", "report", "train_student"]


def test_with_nothing_changed_the_owners_results_come(owner, member):
    first = member.run("qdllm", "student", "--remote", str(owner.folder.parent / "remote"))
    assert list_run(first) == []
    table, _ = owner.run("qdllm", "results").split("Report:")
    assert table in first
    assert (member.folder / "reports/index.html").read_bytes() == (owner.folder / "reports/index.html").read_bytes()
    assert (member.folder / "students" / "emotion-tiny" / "llama-tiny" / "student.safetensors").is_file()
    assert member.run("git", "status", "--porcelain") == ""
    (member.folder / ".dvc/config.local").unlink()
    assert member.run("qdllm", "student", "--quiet") == ""  # all is here: no remote is asked


def test_the_remote_must_be_there(member):
    assert "no DVC remote is configured" in member.refuse("qdllm", "student")
    assert "nowhere must exist" in member.refuse("qdllm", "student", "--remote", "nowhere")
    assert member.run("git", "status", "--porcelain") == ""


def test_a_damaged_or_lost_object_is_named_and_its_owner_can_repair_it(owner, member, remote):
    card = find_object(member, remote, "cards/emotion-tiny.json")
    card.chmod(0o644)
    card.write_bytes(b"no card")
    card.chmod(0o444)  # which DVC takes for checked
    line = member.refuse("qdllm", "student", "--remote", str(remote))
    assert f"cards/emotion-tiny.json is damaged on the DVC remote ({card})" in line
    assert not (member.folder / "cards").exists()

    features = next(path for path in remote.rglob("*") if path.is_file() and path.read_bytes()[:4] == b"PAR1")
    features.unlink()  # part of a folder whose list the remote still has
    settings = owner.folder / ".dvc/config.local"
    before = settings.read_text()
    owner.run("qdllm", "share", str(remote))
    settings.write_text(before)
    assert features.exists()
    assert b"no card" not in card.read_bytes()
    card.unlink()
    assert "cards/emotion-tiny.json is missing on the DVC remote" in member.refuse("qdllm", "student")
    shutil.copy(owner.folder / "cards/emotion-tiny.json", card)
    assert member.stages("qdllm", "student") == []


def test_what_was_never_pushed_is_named(member, tmp_path):
    (tmp_path / "empty").mkdir()
    line = member.refuse("qdllm", "student", "--remote", str(tmp_path / "empty"))
    assert "is missing on the DVC remote" in line
    assert "qdllm share" in line


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("tasks: [emotion-tiny]", "tasks: [emotion-tiny, thematic]", "prepare@thematic must be shared"),
        ("{rank: 8, alpha: 16", "{rank: 4, alpha: 16", "teacher.llama-tiny.finetune.rank 8 -> 4"),
    ],
)
def test_a_teacher_that_was_not_shared_is_not_trained(member, old, new, expected):
    member.edit(old, new)
    line = member.refuse("qdllm", "student")
    assert expected in line
    assert member.run("git", "status", "--porcelain") == " M params.yaml\n"


def test_a_full_disk_leaves_the_clone_as_it_was(owner, without_torch, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)]
    if (
        os.geteuid()
        or shutil.which("mount") is None
        or subprocess.run(mount, capture_output=True, check=False).returncode
    ):
        pytest.skip("a small disk needs root and mount")
    try:
        member = owner.at(disk / "member", PYTHONPATH=without_torch)
        owner.run("git", "clone", "--quiet", str(owner.folder), str(member.folder))
        command = ["qdllm", "student", "--remote", str(owner.folder.parent / "remote")]
        assert "MiB free" in member.refuse(*command)
        subprocess.run(["mount", "-o", "remount,size=22m", str(disk)], check=True)  # room for a part of it
        assert "MiB free" in member.refuse(*command)
        assert (
            member.run("git", "status", "--porcelain", "--ignored")
            == "!! .dvc/cache/\n!! .dvc/config.local\n!! .dvc/tmp/\n"
        )
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        assert member.stages(*command) == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)
