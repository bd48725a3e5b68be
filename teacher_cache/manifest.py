"""The manifest: which teacher made a cache, from what, and the checksum of every part.

In: a cache folder.  Out: Manifest, Part, read_manifest(), write_manifest(), require_identity(),
fingerprint_examples().  Imports: pyarrow, the standard library.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa

from teacher_cache.errors import UserError
from teacher_cache.schema import EXAMPLE_ID_BYTES
from teacher_cache.sealed import fingerprint, read_sealed, write_sealed

# Format 1 knew no pool: every row had a label, and every example a row.
FORMAT, FORMATS = 2, (1, 2)
MANIFEST = "manifest.json"
# What a forged file can make a reader allocate: a manifest holds about 200 bytes a part and 39 an example that is left
# out; a part is bounded as it is on disk and as it is in memory.
MAX_LEFT_OUT = 1 << 20
MAX_MANIFEST_BYTES = 64 << 20
MAX_PART_BYTES = 1 << 30

_EXAMPLE_ID = re.compile(rf"[0-9a-f]{{{2 * EXAMPLE_ID_BYTES}}}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Part:
    """One Parquet file of a cache: its name, number of rows, size in bytes and SHA-256 (64 hex digits)."""

    name: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """All of manifest.json but its seal.

    `identity` holds whatever can change a number: fingerprints of the examples, tokenizer, base weights and adapter,
    prompt, max length, padding, dtype, merging, batch geometry. `quality` maps a split to the teacher's accuracy,
    nll (nats), ece and mean entropy (nats). `versions` informs and is no part of the identity. `hidden` is the number
    of float16 values of hidden states per row, 0 for none; identity says of which layers, how wide, and how pooled.
    `left_out` names the examples that have no row, by their ids in hex, in rising order: texts that a file has no
    answer for.
    """

    format: int
    task: str
    teacher: str
    labels: tuple[str, ...]
    rows: int
    rows_per_part: int
    hidden: int
    identity: Mapping[str, Any]
    quality: Mapping[str, Mapping[str, float]]
    versions: Mapping[str, str]
    parts: tuple[Part, ...]
    left_out: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """SHA-256 over everything but `versions`: equal for equal numbers from an equal teacher."""
        content = asdict(self)
        del content["versions"]
        if self.format == 1:
            del content["left_out"]
        return fingerprint(content)


def part_name(index: int) -> str:
    """The file name of part `index`: part-00000.parquet, part-00001.parquet, ..."""
    return f"part-{index:05d}.parquet"


def fingerprint_examples(batches: Iterable[pa.RecordBatch]) -> str:
    """SHA-256 over the ordered ids, splits, labels and texts of `batches` of examples, however they are cut."""
    digest = hashlib.sha256()
    for batch in batches:
        for row in zip(*(batch.column(name).to_pylist() for name in batch.schema.names), strict=True):
            for value in row:
                data = value if isinstance(value, bytes) else str(value).encode()
                digest.update(len(data).to_bytes(8, "little"))
                digest.update(data)
    return digest.hexdigest()


def hash_file(path: Path) -> str:
    """SHA-256 of the file's bytes, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_manifest(manifest: Manifest, folder: Path) -> None:
    """Publish `manifest`, of the present format, in `folder`; this makes the folder a cache."""
    write_sealed(folder / MANIFEST, asdict(manifest))


def read_manifest(folder: Path) -> Manifest:
    """Read and check the manifest of `folder`; the parts themselves are not opened.

    Raises:
        UserError: no manifest, not JSON, another format, edited, or a field that breaks its rule.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise UserError(
            f"{folder} is not a teacher cache: it has no {MANIFEST}; run `dvc repro cache_teacher` or `dvc pull`"
        )
    return _parse(read_sealed(path, *FORMATS, limit=MAX_MANIFEST_BYTES), path)


def require_identity(manifest: Manifest, expected: Mapping[str, Any], folder: Path) -> None:
    """Refuse a cache that is not the expected one.

    Args:
        manifest: what `folder` says of itself.
        expected: values by field name: a field of Manifest, or `identity.NAME`.
        folder: named in the error.

    Raises:
        UserError: naming the first field that differs, its expected and its found value.
    """
    for name, value in expected.items():
        head, _, rest = name.partition(".")
        found = getattr(manifest, head)
        if rest:
            found = found.get(rest)
        if isinstance(found, tuple):
            found = list(found)
        if found != value:
            raise UserError(f"{folder} is another teacher's cache: {name} must be {value!r}, got {found!r}")


def _parse(content: Mapping[str, Any], path: Path) -> Manifest:
    def require(rule: bool, text: str) -> None:
        if not rule:
            raise UserError(f"{path}: {text}; the manifest was edited or damaged")

    names = set(Manifest.__dataclass_fields__) - ({"left_out"} if content["format"] == 1 else set())
    require(set(content) == names, f"its keys must be {sorted(names)}")
    for name in ("rows", "rows_per_part"):
        require(_is_count(content[name]) and content[name] > 0, f"{name} must be a whole number > 0")
    require(
        _is_count(content["hidden"]) and content["hidden"] <= 1 << 20, "hidden must be a whole number from 0 to 2**20"
    )
    for name in ("task", "teacher"):
        require(isinstance(content[name], str), f"{name} must be text")
    for name in ("identity", "quality", "versions"):
        require(isinstance(content[name], dict), f"{name} must be an object")
    require(_hidden_fits(content), "hidden must be the number of identity.hidden_layers times identity.hidden_width")
    labels = content["labels"]
    require(
        isinstance(labels, list) and all(isinstance(label, str) for label in labels), "labels must be a list of text"
    )
    require(2 <= len(set(labels)) == len(labels) <= 1 << 16, "labels must be 2 or more different names")
    require(isinstance(content["parts"], list), "parts must be a list")
    row_bytes = 8 * len(labels) + 2 * content["hidden"]
    parts = []
    for index, part in enumerate(content["parts"]):
        require(
            isinstance(part, dict) and set(part) == set(Part.__dataclass_fields__),
            f"part {index} must have the keys of a part",
        )
        # The one allowed name leaves no room for a path out of the folder.
        require(part["name"] == part_name(index), f"part {index} must be called {part_name(index)}")
        require(
            _is_count(part["rows"]) and 0 < part["rows"] <= content["rows_per_part"], f"part {index}: rows out of range"
        )
        require(_is_count(part["bytes"]) and part["bytes"] <= MAX_PART_BYTES, f"part {index}: bytes out of range")
        require(
            isinstance(part["sha256"], str) and _SHA256.fullmatch(part["sha256"]) is not None,
            f"part {index}: sha256 must be 64 hex digits",
        )
        require(
            part["rows"] * row_bytes <= MAX_PART_BYTES, f"part {index} must fit in {MAX_PART_BYTES} bytes of memory"
        )
        parts.append(Part(**part))
    require(sum(part.rows for part in parts) == content["rows"], "the parts' rows must add up to rows")
    left_out = content.get("left_out", [])
    require(
        _are_ids(left_out),
        f"left_out must be at most {MAX_LEFT_OUT} different ids of {2 * EXAMPLE_ID_BYTES} hex digits in rising order",
    )
    lists = {"labels": tuple(labels), "parts": tuple(parts), "left_out": tuple(left_out)}
    return Manifest(**{**content, **lists})


def _are_ids(values: Any) -> bool:
    """Whether `values` may be the examples without a row."""
    if not isinstance(values, list) or len(values) > MAX_LEFT_OUT:
        return False
    if not all(isinstance(value, str) and _EXAMPLE_ID.fullmatch(value) for value in values):
        return False
    return all(one < other for one, other in pairwise(values))


def _hidden_fits(content: Mapping[str, Any]) -> bool:
    layers, width = content["identity"].get("hidden_layers", []), content["identity"].get("hidden_width", 0)
    return isinstance(layers, list) and _is_count(width) and content["hidden"] == len(layers) * width


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 48
