"""Atomic publishing: a reader sees the whole of a file or folder, or nothing of it.

In: a target path.  Out: publish_file, publish_folder, write_json.  Imports: the standard library alone.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def sync_path(path: Path) -> None:
    """Flush a file's bytes, or a folder's entries, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def publish_file(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target`; on success sync it and rename it to `target`.

    Raises:
        OSError: the folder cannot be written; `target` is then as it was before.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)  # mkstemp makes 0600, which a team's shared folder could not read
        sync_path(temporary)
        temporary.replace(target)
        sync_path(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def publish_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder beside `target`; on success sync it and put it in `target`'s place.

    A `target` that exists is replaced; on any error it stays as it was.

    Raises:
        OSError: the parent folder cannot be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        temporary.chmod(0o755)
        yield temporary
        for path in (*temporary.rglob("*"), temporary):
            sync_path(path)
        replace_folder(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def replace_folder(source: Path, target: Path) -> None:
    """Rename folder `source` to `target`, moving an old `target` out of the way first."""
    if target.exists():
        retired = Path(tempfile.mkdtemp(prefix=f".{target.name}.old.", dir=target.parent))
        target.rename(retired / target.name)
        source.rename(target)
        shutil.rmtree(retired)
    else:
        source.rename(target)
    sync_path(target.parent)


def write_json(target: Path, content: Mapping[str, Any]) -> None:
    """Publish `content` as indented JSON with a final newline; NaN and infinity are refused."""
    with publish_file(target) as temporary:
        temporary.write_text(
            json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8"
        )
