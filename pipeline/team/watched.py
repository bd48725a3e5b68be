"""What params.yaml names outside of the checkout, and the checksums by which its readers know it.

In: params.yaml, the files and folders that it names.  Out: list_watched(), list_named(), compare(), read_checksums().
Imports: pipeline.params, the standard library.

A reader is a task, its features, a teacher, a comparator, or the students' circuit: each has a file of its own, so that
one changed file makes its readers stale and nobody else. Those files hold checksums alone; size and times, by which an
unchanged file is known without reading it, are kept beside them, in KNOWN.
"""

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from teacher_cache.outside import find_root, locate
from teacher_cache.publish import write_json
from teacher_cache.teacher.base.snapshot import WANTED

KNOWN = Path("work/inputs.json")
# The key under which a block of this `kind` names a file or folder; `init` and `file` do in any block.
KEYS = {"file": "path", "static": "checkpoint", "encoder": "checkpoint", "hub": "model", "gguf": "path"}
# A file that was written this recently may change again with its size and its times as they are.
SETTLED_SECONDS = 2.0

# The path as params.yaml has it -> the SHA-256 of what it leads to.
Checksums = dict[str, str]


def list_watched(params: Mapping[str, Any]) -> dict[Path, list[str]]:
    """The paths that each active reader's blocks name, by the reader's file in the stage's out."""
    blocks = {Path("student.json"): params.get("student")}
    for task in params["tasks"]:
        blocks[Path("task", f"{task}.json")] = params["task"].get(task)
        embed = json.dumps(params.get("embed")).replace("{task}", task)
        blocks[Path("embed", f"{task}.json")] = json.loads(embed)
    for teacher in params["teachers"]:
        blocks[Path("teacher", f"{teacher}.json")] = params["teacher"].get(teacher)
    comparator = params.get("comparator", {})
    for name in params.get("text_comparators", []):
        shared = comparator.get("shared", {}).get("texts", {})
        blocks[Path("comparator", f"{name}.json")] = {**shared, **(comparator.get(name) or {})}
    return {file: sorted({path for _, path in _find_paths(block)}) for file, block in blocks.items()}


def list_named(params: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Every file or folder that params.yaml names, of what is active or not: the dotted key, and the path there."""
    return [
        (key, path.replace("{task}", task))
        for key, path in _find_paths(params)
        for task in (params["tasks"] if "{task}" in path else [""])
    ]


def compare(params: Mapping[str, Any], out: Path) -> dict[Path, tuple[Checksums, Checksums]]:
    """What each reader's file in `out` says, and what it must say now.

    A path that leads nowhere keeps what was said of it: a member has neither texts nor models. So does a model that is
    no folder, but a name of the hub.

    Raises:
        OSError: a file cannot be read.
    """
    watched, known = list_watched(params), read_checksums(find_root() / KNOWN)
    seen: dict[str, Any] = {}
    found = {}
    for file, paths in watched.items():
        before = read_checksums(out / file)
        now = {path: _summarise(locate(path), known, seen) or before.get(path) for path in paths}
        found[file] = (before, {path: digest for path, digest in now.items() if digest})
    if seen != known:
        write_json(find_root() / KNOWN, seen)
    return found


def _find_paths(block: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """The dotted key and the path of each file or folder that a block of params.yaml names."""
    if isinstance(block, list):
        for part in block:
            yield from _find_paths(part, place)
    elif isinstance(block, dict):
        names = {KEYS.get(block.get("kind", "")), "init", "file"}
        for key, value in block.items():
            below = f"{place}.{key}" if place else str(key)
            if key in names and isinstance(value, str):
                yield below, value
            elif isinstance(value, dict) and key == KEYS.get(block.get("kind", "")):  # a file for each split
                yield from ((f"{below}.{split}", path) for split, path in value.items() if isinstance(path, str))
            else:
                yield from _find_paths(value, below)


def _summarise(path: Path, known: Mapping[str, Any], seen: dict[str, Any]) -> str | None:
    """The SHA-256 of a file, or of the names and contents of what a checkpoint's folder has; None where nothing is."""
    if path.is_file():
        return _hash(path, known, seen)
    if not path.is_dir():
        return None
    files = sorted(file for file in path.iterdir() if any(fnmatch(file.name, pattern) for pattern in WANTED))
    lines = [f"{file.name} {_hash(file, known, seen)}\n" for file in files if file.is_file()]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _hash(path: Path, known: Mapping[str, Any], seen: dict[str, Any]) -> str:
    """By size and times first; `seen` receives what is then known of the file."""
    name, status = str(path.resolve()), path.stat()
    state = [status.st_size, status.st_mtime_ns, status.st_ctime_ns]
    before = seen.get(name) or known.get(name)
    if before is None or before[:-1] != state:
        with path.open("rb") as stream:
            before = [*state, hashlib.file_digest(stream, "sha256").hexdigest()]
    if time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) > SETTLED_SECONDS * 1e9:
        seen[name] = before
    digest: str = before[-1]
    return digest


def read_checksums(path: Path) -> dict[str, Any]:
    """The JSON object in `path`; empty where there is none, or where it was cut off."""
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return content
