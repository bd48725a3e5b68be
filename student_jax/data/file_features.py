"""Features that the user brings: vectors of any model, scaled as the training split's need it.

In: vectors.  Out: FileEmbedding, fit_file().  Imports: NumPy.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from teacher_cache.errors import UserError


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
