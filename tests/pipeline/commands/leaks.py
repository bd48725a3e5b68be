"""Which words of the training texts can be read in a file, whatever is written in it.

In: any file, terms.  Out: find_terms(), list_own_words(), read_strings().  Imports: pyarrow.
"""

import io
import json
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).parents[3]
SOURCES = (".css", ".html", ".js", ".json", ".py", ".yaml")


def find_terms(path: Path, terms: Iterable[str]) -> set[str]:
    """Those of `terms` that are a whole string or run of printable bytes in `path`, or in one a word of six letters.

    Parquet is compressed, so its values and metadata are read; so is what safetensors and JSON say.
    """
    content = path.read_bytes()
    found = {*read_strings(content), *(run.decode() for run in re.findall(rb"[ -~]{6,}", content))}
    return set(terms) & {word for text in found for word in (text, *re.findall(r"\w{6,}", text.lower()))}


def read_strings(content: bytes) -> Iterator[str]:
    """Every string in a file of Parquet, JSON or safetensors: keys, values, metadata, names of columns."""
    if content[:4] == b"PAR1":
        table = pq.read_table(io.BytesIO(content))
        described = pq.read_metadata(io.BytesIO(content)).metadata or {}
        for key, value in [*described.items(), *(table.schema.metadata or {}).items()]:
            yield from (key.decode(), value.decode())
        for name, column in zip(table.column_names, table.columns, strict=True):
            yield name
            plain = column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
            if pa.types.is_string(plain.type) or pa.types.is_binary(plain.type):
                yield from map(str, plain.unique().to_pylist())
    elif content[8:9] == b"{":  # safetensors: eight bytes say how long the header is
        yield from list_strings(json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")]))
    elif content[:1] in (b"{", b"["):
        yield from list_strings(json.loads(content))


def list_strings(value: Any) -> Iterator[str]:
    """The keys and the values of JSON that are strings."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in [*value, *value.values()] if isinstance(value, dict) else value:
            yield from list_strings(part)


@cache
def list_own_words() -> frozenset[str]:
    """Words that this project's own code and parameters have, and a file of it may: not those of generated texts."""
    files = [ROOT / "params.yaml", ROOT / "dvc.yaml"]
    for folder in ("pipeline", "student_jax", "teacher_cache"):
        files += [
            path for path in (ROOT / folder).rglob("*") if path.suffix in SOURCES and "generated" not in path.parts
        ]
    return frozenset(word for path in files for word in re.findall(r"\w+", path.read_text(encoding="utf-8").lower()))
