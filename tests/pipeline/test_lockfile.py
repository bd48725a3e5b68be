"""A dvc.lock that was cut off is known for one wherever the cut is, and the copy comes back."""

import fcntl
import os
import subprocess
from pathlib import Path

import pytest

from pipeline import lockfile
from pipeline.lockfile import BUSY, COPY, LOCK, describe_damage, keep_copy, restore
from teacher_cache.publish import try_lock

AUTHOR = ["-c", "user.name=A", "-c", "user.email=a@example.org"]


def write_entry(name, outs):
    lines = [f"  {name}:", f"    cmd: python -m pipeline.stages.{name}", "    outs:"]
    for number, out in enumerate(outs):
        lines += [f"    - path: {out}", "      hash: md5", f"      md5: {number:032x}", "      size: 120"]
    return "".join(f"{line}\n" for line in lines)


NAMES = ["inputs", "prepare@mood", "embed@mood", "report"]
WHOLE = "schema: '2.0'\nstages:\n" + "".join(write_entry(name, [name, f"{name}.json"]) for name in NAMES)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A DVC project in which the last stage kept a copy of dvc.lock."""
    monkeypatch.chdir(tmp_path)
    BUSY.parent.mkdir(parents=True)
    LOCK.write_text(WHOLE)
    keep_copy()
    return tmp_path


def test_a_cut_is_seen_wherever_it_is_and_undone(folder):
    assert describe_damage(WHOLE.encode(), WHOLE.encode()) == ""
    ends = {place + 1 for place, sign in enumerate(WHOLE[:-1]) if sign == "\n"}
    for size in sorted({*range(0, len(WHOLE), 13), *ends}):
        assert describe_damage(WHOLE.encode()[:size], WHOLE.encode()), WHOLE[:size][-80:]
    assert restore() == ""
    LOCK.write_text(WHOLE[: WHOLE.index("  report:")])
    assert restore() == (
        "dvc.lock lost 1 of 4 entries (first: report); restored from the copy that the last stage made when it started"
    )
    assert LOCK.read_text() == WHOLE
    assert restore() == ""


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (WHOLE[: WHOLE.index("  embed")] + "  embed@mood:\n", "has half an entry (embed@mood) and lost 1 of 4 entries"),
        (WHOLE[: WHOLE.index("- path: embed")], "has half an entry (embed@mood) and lost 1 of 4 entries"),
        (WHOLE[:-20], "has half an entry (report)"),
        ("", "is no YAML any more"),
    ],
)
def test_what_is_missing_is_named(content, words):
    assert describe_damage(content.encode(), WHOLE.encode()).startswith(words)


def test_a_new_outcome_that_was_cut_off_is_seen(folder):
    """The stage that had just run writes other checksums: the file is no beginning of the copy."""
    changed = WHOLE.replace("size: 120", "size: 121")
    for line in range(3, WHOLE.count("\n")):
        content = "".join(f"{text}\n" for text in changed.split("\n")[:line])
        assert describe_damage(content.encode(), WHOLE.encode()), content[-80:]


def test_what_was_found_whole_is_not_read_again(folder):
    grown = WHOLE + write_entry("report@more", ["more"])
    LOCK.write_text(grown)
    assert restore() == ""
    assert COPY.read_text() == grown
    assert COPY.stat().st_mtime_ns == LOCK.stat().st_mtime_ns


def test_what_was_meant_is_no_damage(folder):
    grown = WHOLE + write_entry("report@more", ["more"])
    assert describe_damage(grown.encode(), WHOLE.encode()) == ""
    taken_out = WHOLE.replace(write_entry("embed@mood", ["embed@mood", "embed@mood.json"]), "")
    assert describe_damage(taken_out.encode(), WHOLE.encode()) == ""
    subprocess.run(["git", "init", "--quiet"], check=True)
    shorter = WHOLE[: WHOLE.index("  report:")]  # of another branch
    LOCK.write_text(shorter)
    assert describe_damage(shorter.encode(), WHOLE.encode())
    subprocess.run(["git", "add", LOCK], check=True)
    subprocess.run(["git", *AUTHOR, "commit", "--quiet", "--message", "Begin"], check=True)
    assert restore() == ""
    keep_copy()
    assert COPY.read_text() == shorter


def test_an_older_one_that_git_has_is_no_damage(folder):
    subprocess.run(["git", "init", "--quiet"], check=True)
    older = WHOLE[: WHOLE.index("  report:")]
    for content in (older, WHOLE):
        LOCK.write_text(content)
        subprocess.run(["git", "add", LOCK], check=True)
        subprocess.run(["git", *AUTHOR, "commit", "--quiet", "--message", "Go on"], check=True)
    LOCK.write_text(older)
    assert restore() == ""
    assert LOCK.read_text() == older


def test_a_stage_of_the_users_own_may_make_nothing(folder):
    mine = "  mine:\n    cmd: ls\n"
    LOCK.write_text(WHOLE + mine)
    assert describe_damage((WHOLE + mine).encode(), WHOLE.encode())  # of a stage that nobody knows
    Path("dvc.yaml").write_text(f"stages:\n{mine}  more: {{cmd: ls, outs: [it]}}\n")
    assert describe_damage((WHOLE + mine).encode(), WHOLE.encode()) == ""
    assert describe_damage((WHOLE + mine.replace("mine", "more")).encode(), WHOLE.encode())
    assert restore() == ""
    assert COPY.read_text() == WHOLE + mine


def test_what_another_dvc_was_still_writing_is_read_again(folder, monkeypatch):
    grown = WHOLE + write_entry("report@more", ["more"])
    LOCK.write_text(grown[:-20])

    def finish_writing(stream):
        LOCK.write_text(grown)
        return try_lock(stream)

    monkeypatch.setattr(lockfile, "try_lock", finish_writing)
    assert restore() == ""
    assert LOCK.read_text() == grown


def test_the_copy_is_never_a_damaged_one_and_is_made_once(folder, caplog):
    made = COPY.stat().st_ino
    keep_copy()
    assert COPY.stat().st_ino == made
    LOCK.write_text(WHOLE[:-20])
    keep_copy()
    assert "dvc.lock has half an entry (report); `qdllm doctor --lock` restores it" in caplog.text
    assert COPY.read_text() == WHOLE
    LOCK.unlink()  # DVC is to begin anew
    keep_copy()
    assert not COPY.exists()


def test_a_dvc_at_work_is_left_alone_and_a_lost_copy_is_said(folder, caplog):
    LOCK.write_text(WHOLE[:-20])
    with BUSY.open("a") as busy:
        fcntl.flock(busy, fcntl.LOCK_EX)
        keep_copy()  # another stage's DVC is writing it
        assert not caplog.text
        assert "another dvc is at work here" in restore()
    assert LOCK.read_text() == WHOLE[:-20]
    os.unlink(COPY)
    assert restore().endswith("there is no copy of it: take Git's (git checkout dvc.lock), or go on with `dvc repro`")
