"""Features that the user brings: a Parquet file of example ids and vectors, of any model and any making.

In: EmbedConfig, a task, the ids of its examples.  Out: FileEmbedding, read_vectors(), fit_file().
Imports: NumPy, pyarrow.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from student_jax.config import EmbedConfig
from teacher_cache.errors import UserError
from teacher_cache.reader import ids_to_numpy
from teacher_cache.schema import EXAMPLE_ID_BYTES


@dataclass(frozen=True)
class FileEmbedding:
    """The mean (dimensions,) and the scale (1,) of the training vectors, float32, and the name of their file."""

    mean: np.ndarray
    scale: np.ndarray
    name: str

    @property
    def dimensions(self) -> int:
        """Length of a feature vector."""
        return len(self.mean)

    @property
    def inference_parameters(self) -> int:
        """Numbers that features are computed with, but for what made the vectors, which nobody here knows."""
        return len(self.mean) + 1

    def transform(self, texts: Sequence[str]) -> np.ndarray:
        """There is no way from a text to a vector here.

        Raises:
            UserError: always.
        """
        raise UserError(
            f"features were read from {self.name}, which has no way to embed a text; make its vector as those of the "
            "file were made and call Student.predict_features"
        )

    def prepare(self, vectors: np.ndarray) -> np.ndarray:
        """Features (rows, dimensions), float32, of vectors as the file holds them."""
        return ((vectors - self.mean) * self.scale).astype(np.float32)

    def to_content(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """The embedding as named tensors and a JSON object."""
        return {"mean": self.mean, "scale": self.scale}, {"name": self.name}

    @classmethod
    def from_content(cls, tensors: Mapping[str, np.ndarray], content: Mapping[str, Any]) -> "FileEmbedding":
        """The embedding that `to_content` described.

        Raises:
            ValueError: the tensors are not those of a file's features.
        """
        mean, scale = tensors["mean"], tensors["scale"]
        if mean.ndim != 1 or scale.shape != (1,):
            raise ValueError(f"mean and scale must be (dimensions,) and (1,), got {mean.shape} and {scale.shape}")
        return cls(mean, scale, str(content["name"]))


def fit_file(vectors: np.ndarray, name: str) -> FileEmbedding:
    """Measure mean and scale on the training split's vectors: the features then have mean 0 and mean square 1.

    Raises:
        UserError: all vectors are the same.
    """
    mean = vectors.mean(axis=0, dtype=np.float64)
    square = np.mean((vectors - mean) ** 2)
    if not square > 0:
        raise UserError(f"{name}: the training split's vectors must differ, got the same one for all")
    return FileEmbedding(mean.astype(np.float32), np.array([square**-0.5], np.float32), name)


def read_vectors(config: EmbedConfig, task: str, ids: np.ndarray) -> np.ndarray:
    """The vectors (rows, dimensions) of the examples `ids`, float32, in their order.

    Args:
        config: `path`, in which {task} stands for the task, `column` and, where given, the file's `sha256`.
        task: the task's name.
        ids: (rows,) of dtype V16, every example of the task.

    Raises:
        UserError: no such file, another one than `sha256` says, no such column, ids that are missing, too many or
            there twice, vectors of several lengths, or a number that is not finite.
    """
    if config.path is None:
        raise UserError("embed.path must be a file for kind file, got none")
    path = Path(config.path.replace("{task}", task))
    if not path.is_file():
        raise UserError(f"embed.path must be a file for kind file, got {path}")
    data = path.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if config.sha256 not in (None, found):
        raise UserError(
            f"{path.name}: sha256 must be {config.sha256}, got {found}; restore the file or correct embed.sha256"
        )
    try:
        table = pq.read_table(pa.BufferReader(data))
        for column in ("example_id", config.column):
            if column not in table.column_names:
                raise UserError(f"{path.name} must have the column {column}, got {', '.join(table.column_names)}")
        own, vectors = _read_ids(table["example_id"]), _read_matrix(table[config.column], config.column)
    except (pa.ArrowException, ValueError) as error:
        raise UserError(f"{path.name}: {' '.join(str(error).split())[:200]}") from None
    unique, first, counts = np.unique(own, return_index=True, return_counts=True)
    _refuse(path, unique[counts > 1], "must occur once, got them twice")
    _refuse(path, np.setdiff1d(ids, unique), "must have a vector, got none")
    _refuse(path, np.setdiff1d(unique, ids), f"must be examples of {task}, got others")
    return vectors[first[np.searchsorted(unique, ids)]]


def _read_ids(column: pa.ChunkedArray) -> np.ndarray:
    """16 bytes an id, or 32 hexadecimal digits."""
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = pa.chunked_array([pa.array([bytes.fromhex(digits or "") for digits in column.to_pylist()])])
    column = pc.cast(column.combine_chunks(), pa.binary())
    lengths = set(pc.binary_length(column).to_pylist())
    if lengths != {EXAMPLE_ID_BYTES}:
        raise ValueError(f"example_id must be {EXAMPLE_ID_BYTES} bytes, or as many pairs of hexadecimal digits")
    return ids_to_numpy(pc.cast(column, pa.binary(EXAMPLE_ID_BYTES)))


def _read_matrix(column: pa.ChunkedArray, name: str) -> np.ndarray:
    """Lists of numbers, of any of Arrow's three kinds, as (rows, dimensions) float32."""
    array = column.combine_chunks()
    lengths = set(pc.list_value_length(array).to_pylist())
    if len(lengths) != 1 or not min(length or 0 for length in lengths):
        raise ValueError(f"{name} must hold vectors of one length, got {sorted(lengths, key=str)[:3]}")
    values = pc.cast(pc.list_flatten(array), pa.float32(), safe=False)
    matrix = values.to_numpy(zero_copy_only=False).reshape(len(array), -1)
    if not np.isfinite(matrix).all():
        raise ValueError(f"{name} must hold finite numbers, got NaN, infinity or null")
    return matrix


def _refuse(path: Path, ids: np.ndarray, rule: str) -> None:
    if len(ids):
        raise UserError(f"{path.name}: {len(ids)} example ids (first {ids[0].tobytes().hex()}) {rule}")
