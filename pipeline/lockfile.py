"""A whole copy of dvc.lock, which DVC rewrites in place after every stage: a kill in that moment cuts it off.

In: dvc.lock.  Out: keep_copy(), restore(), describe_damage().  Imports: ruamel.yaml, git as a command.

DVC takes what a cut-off file has lost for stages that have not run yet. So every stage copies a whole dvc.lock when it
starts, and `qdllm plan`, `qdllm doctor`, `qdllm repro` and `qdllm student` put the copy back where the file is damaged.
"""

import logging
import os
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from teacher_cache.publish import publish_file, try_lock

logger = logging.getLogger(__name__)
LOCK, COPY = Path("dvc.lock"), Path(".dvc/tmp/qdllm/dvc.lock")
STAGES = Path("dvc.yaml")
# Held by every `dvc` that reads or writes dvc.lock, but not while a stage of its runs.
BUSY = Path(".dvc/tmp/lock")


def keep_copy() -> None:
    """Copy the current folder's dvc.lock where it is whole and has changed since the last copy; else say what it is."""
    try:
        if not LOCK.exists():  # somebody begins anew
            COPY.unlink(missing_ok=True)
            return
        state = _read_state(LOCK)
        if COPY.exists() and state == _read_state(COPY):
            return
        content, copy = LOCK.read_bytes(), COPY.read_bytes() if COPY.exists() else b""
        if not describe_damage(content, copy):
            _write_copy(content, state)
            return
        with BUSY.open("a") as busy:
            if not try_lock(busy):  # a DVC beside this stage's is writing it
                return
            damage = describe_damage(LOCK.read_bytes(), copy)
        if damage:
            logger.warning("dvc.lock %s; `qdllm doctor --lock` restores it", damage)
    except OSError:
        return  # no stage fails for want of a copy: the disk may be full


def restore() -> str:
    """Put the copy in the place of a damaged dvc.lock; what was found and done in one line, empty where all is well."""
    if not LOCK.exists() or (COPY.exists() and _read_state(LOCK) == _read_state(COPY)):
        return ""
    state = _read_state(LOCK)
    content, copy = LOCK.read_bytes(), COPY.read_bytes() if COPY.exists() else b""
    damage = describe_damage(content, copy)
    if not damage:
        with suppress(OSError):
            _write_copy(content, state)  # so that the next look need not read both again
        return ""
    if not copy:
        return f"dvc.lock {damage}; there is no copy of it: take Git's (git checkout {LOCK}), or go on with `dvc repro`"
    with BUSY.open("a") as busy:
        if not try_lock(busy):
            return f"dvc.lock {damage}; another dvc is at work here: look again when it is done"
        # The other one may have been writing it when it was read.
        if not (damage := describe_damage(LOCK.read_bytes(), copy)):
            return ""
        with publish_file(LOCK) as temporary:
            temporary.write_bytes(copy)
    _set_times(LOCK, _read_state(COPY))
    return f"dvc.lock {damage}; restored from the copy that the last stage made when it started"


def _write_copy(content: bytes, state: tuple[int, int]) -> None:
    if COPY.parents[1].is_dir():  # .dvc/tmp
        with publish_file(COPY) as temporary:
            temporary.write_bytes(content)
        _set_times(COPY, state)


def describe_damage(content: bytes, copy: bytes) -> str:
    """What is wrong with a dvc.lock, such as "lost 54 of 70 entries (first: embed@x)"; empty where it is whole.

    Args:
        content: of dvc.lock. What Git knows, of any commit, stash or experiment, is whole whatever it holds: there may
            be fewer entries.
        copy: an earlier one that was whole, or nothing. A file that was cut off begins as it does: entries that were
            taken out elsewhere were taken out on purpose.
    """
    entries, earlier = _read_entries(content), _read_entries(copy)
    names = list(entries or {})
    half = [
        name
        for name in names[-1:]
        if entries is not None and _is_half(entries[name], (earlier or {}).get(name), _makes_nothing(name))
    ]
    lost = [name for name in earlier or {} if name not in names]
    cut = list(earlier or {})[: len(names)] == names and bool(lost)
    broken = entries is None or not content.endswith(b"\n") or (content != copy and copy.startswith(content))
    if not (broken or half or cut) or (entries is not None and _is_known(content)):
        return ""
    words = ["is no YAML any more"] if entries is None else []
    words += [f"has half an entry ({half[0]})"] if half else []
    words += (
        [f"lost {len(lost)} of {len(earlier or {})} entries (first: {lost[0]})"] if lost and entries is not None else []
    )
    return " and ".join(words or ["was cut off in its last line"])


def _read_entries(content: bytes) -> dict[str, Any] | None:
    """The entries of a dvc.lock, or of a dvc.yaml, by stage; None where it is not one."""
    try:
        found = YAML(typ="safe").load(content.decode())
        return dict(found["stages"] or {})
    except (YAMLError, ValueError, TypeError, KeyError):
        return None


def _is_half(entry: Any, earlier: Any, without_outs: bool) -> bool:
    """Whether an entry lacks what DVC writes into each, or is the beginning of what it was.

    `without_outs` says that its stage, one of the user's own, makes nothing.
    """
    if not isinstance(entry, dict) or "cmd" not in entry:
        return True
    if "outs" not in entry:
        return not without_outs
    outs = entry["outs"]
    if not isinstance(outs, list):
        return True
    if not all(isinstance(out, dict) and {"path", "hash", "md5", "size"} <= out.keys() for out in outs):
        return True
    before = [out["path"] for out in earlier.get("outs", [])] if earlier else []
    now = [out["path"] for out in outs]
    return len(now) < len(before) and before[: len(now)] == now


def _makes_nothing(name: str) -> bool:
    """Whether dvc.yaml has a stage of this name, one of the user's own, without outputs."""
    stage = (_read_entries(STAGES.read_bytes()) or {}).get(name.partition("@")[0]) if STAGES.is_file() else None
    return isinstance(stage, dict) and not stage.keys() & {"outs", "metrics", "plots"}


def _is_known(content: bytes) -> bool:
    """Whether Git has a file of this content."""

    def call(*arguments: str, given: bytes | None = None) -> bytes:
        return subprocess.run(["git", *arguments], input=given, capture_output=True, check=True).stdout

    try:
        name = call("hash-object", "--stdin", "--path", str(LOCK), given=content)
        call("cat-file", "-e", name.decode().strip())
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def _read_state(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _set_times(path: Path, state: tuple[int, int]) -> None:
    os.utime(path, ns=(state[1], state[1]))
