"""JSON that knows when it was edited: an object of a numbered format, with the SHA-256 of all else in it.

In: a path and an object.  Out: write_sealed(), read_sealed(), fingerprint().  Imports: the standard library.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from teacher_cache.errors import UserError
from teacher_cache.publish import write_json

SEAL = "seal"
# What an edited file can make a reader allocate. The largest of our own holds the tokenizer of a large language model.
MAX_BYTES = 128 << 20
MAX_NESTING = 32


def fingerprint(content: Any) -> str:
    """SHA-256 of `content` as canonical JSON: sorted keys, no spaces, no NaN."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def write_sealed(path: Path, content: Mapping[str, Any]) -> None:
    """Publish `content`, which has a key `format`, with its seal."""
    write_json(path, {**content, SEAL: fingerprint(content)})


def read_sealed(path: Path, *forms: int, limit: int = MAX_BYTES) -> dict[str, Any]:
    """What `write_sealed` wrote.

    Args:
        path: the file.
        forms: the numbers of the formats that the caller understands.
        limit: the most bytes that the file may have.

    Raises:
        UserError: too large, not JSON, of another format, edited or damaged.
        FileNotFoundError: no such file.
    """

    def require(rule: bool, text: str) -> None:
        if not rule:
            raise UserError(f"{path}{text}; remake or pull it")

    size = path.stat().st_size
    require(size <= limit, f" must have at most {limit} bytes, got {size}")
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        content = None
    require(isinstance(content, dict), " must be a JSON object: it is damaged")
    form = content.get("format")
    known = " or ".join(map(str, forms))
    require(type(form) is int and form in forms, f": format must be {known}, got {str(form)[:40]}")
    require(_is_shallow(content, MAX_NESTING), f": values must be nested at most {MAX_NESTING} deep")
    seal = content.pop(SEAL, None)
    try:
        found = fingerprint(content)
    except ValueError:  # NaN or infinity, which json.loads lets in
        found = "that of numbers alone"
    require(seal == found, f": {SEAL} must be {found}, got {str(seal)[:64]}: it was edited or damaged")
    return content


def _is_shallow(value: Any, levels: int) -> bool:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels > 0 and all(_is_shallow(child, levels - 1) for child in children)
