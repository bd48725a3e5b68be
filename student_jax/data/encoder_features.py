"""Features from a frozen encoder that somebody else runs: its mean-pooled last hidden states, centred and scaled.

In: an Encoder, which needs torch and is therefore handed in.
Out: Encoder, FindEncoder, EncoderEmbedding, fit_encoder(), require_encoder().
Imports: NumPy.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from student_jax.config import EmbedConfig
from teacher_cache.errors import UserError


@runtime_checkable
class Encoder(Protocol):
    """A frozen model, as teacher_cache.teacher.capture.frozen_encoder loads it."""

    @property
    def parameters(self) -> int:
        """How many numbers the model has."""

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """One vector per text: (rows, dimensions) float32."""


FindEncoder = Callable[[EmbedConfig], Encoder | None]


@dataclass(frozen=True)
class EncoderEmbedding:
    """The mean (dimensions,) and the scale (1,) of the training features, float32, and the encoder."""

    mean: np.ndarray
    scale: np.ndarray
    encoder: Encoder

    @property
    def dimensions(self) -> int:
        """Length of a feature vector."""
        return len(self.mean)

    @property
    def inference_parameters(self) -> int:
        """Numbers that a text's features are computed with: the whole encoder."""
        return self.encoder.parameters + len(self.mean) + 1

    def transform(self, texts: Sequence[str]) -> np.ndarray:
        """Features (rows, dimensions), float32."""
        return ((self.encoder.encode(texts) - self.mean) * self.scale).astype(np.float32)

    def to_content(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """What is kept of the embedding, as named tensors and a JSON object: all but the encoder."""
        return {"mean": self.mean, "scale": self.scale}, {}

    @classmethod
    def from_content(cls, encoder: Encoder, tensors: Mapping[str, np.ndarray]) -> "EncoderEmbedding":
        """The embedding that `to_content` described, with its encoder.

        Raises:
            ValueError: the tensors are not those of an encoder's features.
        """
        mean, scale = tensors["mean"], tensors["scale"]
        if mean.ndim != 1 or scale.shape != (1,):
            raise ValueError(f"mean and scale must be (dimensions,) and (1,), got {mean.shape} and {scale.shape}")
        return cls(mean, scale, encoder)


def fit_encoder(encoder: Encoder, texts: Sequence[str]) -> EncoderEmbedding:
    """Measure mean and scale on the training split's texts: the features then have mean 0 and mean square 1."""
    features = encoder.encode(texts)
    mean = features.mean(axis=0)
    scale = 1 / np.sqrt(np.mean((features - mean) ** 2, keepdims=True)).reshape(1)
    return EncoderEmbedding(mean.astype(np.float32), scale.astype(np.float32), encoder)


def require_encoder(encoder: Encoder | FindEncoder | None, config: EmbedConfig) -> Encoder:
    """`encoder`, or the one that it finds, which features of kind encoder cannot do without.

    Raises:
        UserError: it was not handed in.
    """
    if encoder is not None and not isinstance(encoder, Encoder):
        encoder = encoder(config)
    if encoder is None:
        raise UserError(
            f"these features need the encoder {config.checkpoint}; load it with the extra teacher installed"
        )
    return encoder
