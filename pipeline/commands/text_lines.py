"""The lines of a file, a pipe or stdin, in batches that do not wait for lines that are yet to come.

In: a path, - for stdin.  Out: read_batches().  Imports: the standard library.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from teacher_cache.errors import UserError

STDIN = Path("-")
# What is read at once, where there is as much.
BLOCK_BYTES = 1 << 16


def read_batches(path: Path, most: int) -> Iterator[list[str]]:
    """The lines of UTF-8 text without their ends, at most so many at once; those that are there are given at once.

    Raises:
        UserError: there is nothing to read, or a line is not UTF-8.
    """
    if path != STDIN and (path.is_dir() or not path.exists()):
        raise UserError(f"--file must be a file or a pipe with one text a line, got {path}")
    number, rest = 1, b""
    source: Any = nullcontext(sys.stdin.buffer) if path == STDIN else path.open("rb")  # both have read1
    with source as stream:
        while block := stream.read1(BLOCK_BYTES):
            *lines, rest = (rest + block).split(b"\n")
            for start in range(0, len(lines), most):
                batch = lines[start : start + most]
                yield _decode(path, batch, number)
                number += len(batch)
    if rest:
        yield _decode(path, [rest], number)


def _decode(path: Path, lines: Sequence[bytes], first: int) -> list[str]:
    texts = []
    for number, line in enumerate(lines, first):
        try:
            # As editors of Windows write it, a file begins with a byte order mark.
            texts.append(line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r"))
        except UnicodeDecodeError:
            raise UserError(f"{path}: line {number} must be UTF-8; convert it (iconv --to-code UTF-8)") from None
    return texts
