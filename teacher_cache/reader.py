"""Checked reading of a teacher cache: no number leaves a part whose bytes are not the manifest's.

In: a cache folder and what the reader expects of it.  Out: open_cache(), Cache, CacheRows,
ids_to_numpy(), labels_to_numpy().  Imports: pyarrow, NumPy.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from teacher_cache.errors import UserError
from teacher_cache.manifest import Manifest, Part, read_manifest, require_identity
from teacher_cache.schema import EXAMPLE_ID_BYTES, NO_LABEL, SPLITS, cache_schema, require_schema

# Probabilities are rounded to float32 once, so a row's sum is off by at most a few 1e-8 a class.
SUM_TOLERANCE = 1e-6


@dataclass(frozen=True)
class CacheRows:
    """Columns of a teacher cache, one row per example.

    example_id: (rows,) 16-byte ids, dtype V16.  split: (rows,) int8, index into SPLITS.  label: (rows,) int32, NO_LABEL
    in the pool.
    logits, probabilities: (rows, classes) float32.  hidden: (rows, values) float16 or None.
    """

    example_id: np.ndarray
    split: np.ndarray
    label: np.ndarray
    logits: np.ndarray
    probabilities: np.ndarray
    hidden: np.ndarray | None


@dataclass(frozen=True)
class Cache:
    """An opened cache: its folder and its checked manifest."""

    folder: Path
    manifest: Manifest

    @property
    def left_out(self) -> np.ndarray:
        """The ids of the examples that have no row, dtype V16, in rising order."""
        return np.frombuffer(bytes.fromhex("".join(self.manifest.left_out)), f"V{EXAMPLE_ID_BYTES}")

    def iter_parts(self) -> Iterator[CacheRows]:
        """Yield the parts in order, each verified; memory is one part's.

        Raises:
            UserError: a part is missing, cut, damaged or not the manifest's.
        """
        for part in self.manifest.parts:
            yield self._read_part(part)

    def read(self) -> CacheRows:
        """All rows, verified; memory is the cache's.

        Raises:
            UserError: as `iter_parts`, or an example stands in the cache twice.
        """
        chunks: dict[str, list[Any]] = {field.name: [] for field in fields(CacheRows)}
        for part in self.iter_parts():
            for name, column in chunks.items():
                column.append(getattr(part, name))
        columns: dict[str, Any] = {}
        for name in list(chunks):
            # Let go as soon as it is joined: the largest column is held twice, not the whole cache.
            column = chunks.pop(name)
            columns[name] = None if column[0] is None else np.concatenate(column)
        rows = CacheRows(**columns)
        ids = np.unique(rows.example_id)
        duplicates = len(rows.example_id) - len(ids)
        if duplicates:
            raise UserError(f"{self.folder}: every example must have one row, got {duplicates} more")
        strays = len(np.intersect1d(self.left_out, ids, assume_unique=True))
        if strays:
            raise UserError(f"{self.folder}: an example of left_out must have no row, got {strays} with one")
        return rows

    def hidden_layer(self, rows: CacheRows, layer: int) -> np.ndarray:
        """The pooled states of one layer: (rows, width) float16, a view into `rows`.

        Raises:
            UserError: the cache does not hold this layer.
        """
        layers = self.manifest.identity.get("hidden_layers", [])
        if rows.hidden is None or layer not in layers:
            raise UserError(
                f"{self.folder} must hold the states of layer {layer}, got those of {layers or 'none'}; "
                "set cache_teacher.hidden_layers"
            )
        return rows.hidden.reshape(len(rows.hidden), len(layers), -1)[:, layers.index(layer)]

    def _read_part(self, part: Part) -> CacheRows:
        path, classes = self.folder / part.name, len(self.manifest.labels)
        data = read_part_bytes(path, part)
        try:
            file = pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True)
            # Before anything of the file's own counts is allocated.
            schema = cache_schema(classes, self.manifest.hidden, self.manifest.format)
            require_schema(file.schema_arrow, schema, path)
            _require_rows(file.metadata.num_rows, part, path)
            table = file.read()
            _require_rows(table.num_rows, part, path)
            table.validate(full=True)
            return _to_rows(table, classes, path)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise UserError(
                f"{path} cannot be read: {' '.join(str(error).split())[:200]}; remake or pull the cache"
            ) from None


def open_cache(folder: Path, expected: Mapping[str, Any]) -> Cache:
    """Open the cache in `folder`, refusing any other than the expected one.

    Args:
        folder: a published cache.
        expected: what the caller needs it to be: see `manifest.require_identity`.

    Raises:
        UserError: not a cache, a foreign cache, or parts missing, cut or left over.
    """
    manifest = read_manifest(folder)
    require_identity(manifest, expected, folder)
    for part in manifest.parts:
        _require_size(folder / part.name, part)
    strangers = {path.name for path in folder.glob("*.parquet")} - {part.name for part in manifest.parts}
    if strangers:
        raise UserError(f"{folder} must hold only its manifest's parts, got {min(strangers)} too")
    return Cache(folder, manifest)


def read_part_bytes(path: Path, part: Part) -> bytes:
    """The bytes of `path`, refused unless size and SHA-256 are the manifest's."""
    _require_size(path, part)
    data = path.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != part.sha256:
        raise UserError(f"{path} is damaged: sha256 must be {part.sha256}, got {found}; remake or pull the cache")
    return data


def _require_size(path: Path, part: Part) -> None:
    if not path.is_file():
        raise UserError(f"{path} is missing; remake or pull the cache")
    if path.stat().st_size != part.bytes:
        raise UserError(f"{path} must have {part.bytes} bytes, got {path.stat().st_size}; remake or pull the cache")


def _require_rows(found: int, part: Part, path: Path) -> None:
    if found != part.rows:
        raise UserError(f"{path} must have {part.rows} rows, got {found}")


def _to_rows(table: pa.Table, classes: int, path: Path) -> CacheRows:
    if any(table[name].null_count for name in table.column_names if name != "label"):
        raise UserError(f"{path} must have no nulls but for labels of the pool")
    table = table.combine_chunks()
    matrix = {
        name: _matrix(table, name) for name in ("logits", "probabilities", "hidden") if name in table.schema.names
    }
    split = _splits(table["split"], path)
    label = labels_to_numpy(table["label"])
    _require_labels(label, split == SPLITS.index("pool"), classes, path)
    off = np.abs(matrix["probabilities"].sum(axis=1, dtype=np.float64) - 1).max()
    if not off <= SUM_TOLERANCE or not np.isfinite(matrix["logits"]).all():
        raise UserError(f"{path}: probabilities must add up to 1 within {SUM_TOLERANCE} and logits be finite")
    if "hidden" in matrix and not np.isfinite(matrix["hidden"]).all():
        raise UserError(f"{path}: hidden states must be finite, got NaN or infinity")
    return CacheRows(
        example_id=ids_to_numpy(table["example_id"]),
        split=split,
        label=label,
        logits=matrix["logits"],
        probabilities=matrix["probabilities"],
        hidden=matrix.get("hidden"),
    )


def ids_to_numpy(column: pa.ChunkedArray) -> np.ndarray:
    """Example ids as a (rows,) array of dtype V16; bytes compare and sort as in the file."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    buffer = array.buffers()[1]
    ids = np.frombuffer(buffer, dtype=f"V{EXAMPLE_ID_BYTES}", count=len(array) + array.offset)
    return ids[array.offset :]


def labels_to_numpy(column: pa.ChunkedArray) -> np.ndarray:
    """Labels as a (rows,) array of int32, NO_LABEL where there is none."""
    return column.fill_null(NO_LABEL).to_numpy()


def _require_labels(label: np.ndarray, pool: np.ndarray, classes: int, path: Path) -> None:
    if (label[pool] != NO_LABEL).any():
        raise UserError(f"{path}: rows of the pool must have no label, got {int((label[pool] != NO_LABEL).sum())} with")
    known = label[~pool]
    if len(known) and (known.min() < 0 or known.max() >= classes):
        low, high = ("none" if value == NO_LABEL else value for value in (known.min(), known.max()))
        raise UserError(f"{path}: labels must be from 0 to {classes - 1}, got {low} to {high}")


def _matrix(table: pa.Table, name: str) -> np.ndarray:
    column = table[name].combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0)
    values = column.flatten()
    if values.null_count:
        raise ValueError(f"{name} must have no nulls")
    return values.to_numpy(zero_copy_only=False).reshape(len(column), -1)


def _splits(column: pa.ChunkedArray, path: Path) -> np.ndarray:
    array = column.unify_dictionaries().combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = array.chunk(0)
    names = array.dictionary.to_pylist()
    strangers = set(names) - set(SPLITS)
    if strangers:
        raise UserError(f"{path}: split must be one of {', '.join(SPLITS)}, got {min(strangers)}")
    return np.array([SPLITS.index(name) for name in names], dtype=np.int8)[array.indices.to_numpy()]
