"""Atomic publishing: a reader sees the whole of a file or folder, or nothing of it.

In: a target path.  Out: publish_file, publish_folder, write_json, try_lock.  Imports: the standard library alone.

Files and folders get the modes that the umask leaves them, as those of any other program.
"""

import errno
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from teacher_cache.errors import UserError

READABLE = 0o444


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
    temporary = _name_temporary(target)
    # No module tempfile: its 0600 is for files that nobody else may read.
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        yield temporary
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
    temporary = _name_temporary(target)
    temporary.mkdir()
    try:
        yield temporary
        for path in (*temporary.rglob("*"), temporary):
            _let_read(path, temporary)
            sync_path(path)
        replace_folder(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def replace_folder(source: Path, target: Path) -> None:
    """Rename folder `source` to `target`, moving an old `target` out of the way first."""
    if target.exists():
        retired = _name_temporary(target)
        try:
            target.rename(retired)
            source.rename(target)
        except BaseException:  # an interrupt between the two
            if not target.exists():
                retired.rename(target)
            raise
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


def try_lock(file: IO[Any]) -> bool:
    """Lock `file` for this process alone, until it is closed; whether that could be had: False where another has it.

    Raises:
        UserError: the file system has no such locks, so that nobody can know.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES):
            return False
        raise UserError(
            f"{file.name} must be on a file system with locks (flock), got: {error.strerror}; a link to a folder on a "
            "local disk in place of its folder will do"
        ) from None
    return True


def _name_temporary(target: Path) -> Path:
    """A name beside `target` that is nobody's."""
    return target.parent / f".{target.name}.{secrets.token_hex(6)}"


def _let_read(path: Path, folder: Path) -> None:
    """Let all read `path` who may read `folder`: some libraries write files for their owner alone."""
    mode, wanted = path.stat().st_mode, folder.stat().st_mode & READABLE
    if mode & wanted != wanted:
        path.chmod(mode & 0o7777 | wanted)
