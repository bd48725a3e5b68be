"""The lines of a text file: packed or not, in UTF-8 or in the encoding that is named.

In: a file's path.  Out: find_encoding(), read_lines().  Imports: the standard library.
"""

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO

from teacher_cache.errors import UserError

GZIP = b"\x1f\x8b"
# A spreadsheet that somebody has given the name of a text file: a zip archive, or Microsoft's older container.
WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    codecs.BOM_UTF8: "utf-8-sig",
}


def find_encoding(path: Path, given: str | None) -> str:
    """What a byte order mark says, else the encoding that is `given`, else UTF-8.

    Raises:
        UserError: `given` is no encoding of text, or the file is no text at all.
    """
    if given is not None:
        try:
            "".encode(given)
        except (LookupError, UnicodeError):
            raise UserError(f"source.encoding must be one that Python knows, such as cp1252, got {given}") from None
    with _require_whole(path), closing(_open(path)) as stream:
        start = stream.read(4)
    if start.startswith(WORKBOOKS):
        raise UserError(f"{path.name} must be text, got a workbook or an archive: save it as CSV (UTF-8) and name that")
    marked = next((encoding for mark, encoding in MARKS.items() if start.startswith(mark)), given)
    if marked is None and b"\0" in start:
        raise UserError(
            f"{path.name} must be text, got zero bytes, as UTF-16 has them: name its encoding in source.encoding, such "
            "as utf-16-le or utf-16-be"
        )
    return marked or "utf-8"


def read_lines(path: Path, encoding: str) -> Iterator[str]:
    """Lines of the file with their ends.

    Raises:
        UserError: bytes that are not of `encoding`, with their line; an empty file; one that is packed and not whole.
    """
    empty = True
    with _require_whole(path):
        try:
            with io.TextIOWrapper(_open(path), encoding, newline="") as lines:
                for line in lines:
                    empty = empty and not line.strip()
                    yield line
        except UnicodeDecodeError as error:
            raise UserError(_word_fault(path, encoding, error)) from None
        except UnicodeError as error:  # UTF-16 or UTF-32 that does not say in which order its bytes are
            raise UserError(
                f"{path.name}: must be {encoding.upper()}, got: {error}; name the order in source.encoding, as in "
                f"{encoding}-le or {encoding}-be"
            ) from None
    if empty:
        raise UserError(f"{path.name}: must have rows, got an empty file")


@contextmanager
def _require_whole(path: Path) -> Iterator[None]:
    """Word what is wrong with a packed file."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(f"{path.name}: must be a whole gzip file, got: {error}") from None


def _open(path: Path) -> IO[bytes]:
    with path.open("rb") as stream:
        packed = stream.read(2) == GZIP
    return gzip.open(path, "rb") if packed else path.open("rb")  # type: ignore[return-value]


def _word_fault(path: Path, encoding: str, error: UnicodeDecodeError) -> str:
    """Where the first byte is that cannot be decoded: the decoder tells of its own block alone."""
    name, advice = encoding.removesuffix("-sig").upper(), "name its encoding in source.encoding, such as cp1252"
    with closing(_open(path)) as stream:
        for number, line in enumerate(stream, start=1):
            try:
                line.decode(encoding)
            except UnicodeDecodeError as fault:
                where = f"got byte 0x{line[fault.start]:02x} at position {fault.start + 1}"
                return f"{path.name} line {number}: must be {name}, {where}; {advice}"
    return f"{path.name}: must be {name}, got other bytes ({error.reason}); {advice}"
