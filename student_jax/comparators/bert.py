"""A BERT checkpoint -> initial values of a Transformer, without torch.

In: a folder with config.json and model.safetensors.  Out: Bert, read_bert().  Imports: NumPy, safetensors.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from student_jax.comparators.network import TransformerSize
from teacher_cache.errors import UserError
from teacher_cache.manifest import hash_file
from teacher_cache.outside import locate

# Our names on the left; `kernel` is a weight's transpose.
EMBEDDINGS = {
    "word.embedding": "embeddings.word_embeddings.weight",
    "position.embedding": "embeddings.position_embeddings.weight",
    "type.embedding": "embeddings.token_type_embeddings.weight",
    "norm.scale": "embeddings.LayerNorm.weight",
    "norm.bias": "embeddings.LayerNorm.bias",
}
DENSE = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "attended": "attention.output.dense",
    "widen": "intermediate.dense",
    "narrow": "output.dense",
}
NORMS = {"attended_norm": "attention.output.LayerNorm", "narrow_norm": "output.LayerNorm"}


@dataclass(frozen=True)
class Bert:
    """A checkpoint's sizes, its tensors by their own names, and the SHA-256 of their file."""

    folder: Path
    size: TransformerSize
    tensors: dict[str, np.ndarray]
    sha256: str

    def take(self, layers: Sequence[int]) -> dict[str, np.ndarray]:
        """Initial values of a Classifier whose layers are `layers` of the checkpoint, by our names.

        Raises:
            UserError: the checkpoint lacks a tensor.
        """
        names = {f"transformer.{ours}": theirs for ours, theirs in EMBEDDINGS.items()}
        for ours, theirs in enumerate(layers):
            place, source = f"transformer.layers.{ours}", f"encoder.layer.{theirs}"
            for part, name in DENSE.items():
                names |= {f"{place}.{part}.kernel": f"{source}.{name}.weight"}
                names |= {f"{place}.{part}.bias": f"{source}.{name}.bias"}
            for part, name in NORMS.items():
                names |= {f"{place}.{part}.scale": f"{source}.{name}.weight"}
                names |= {f"{place}.{part}.bias": f"{source}.{name}.bias"}
        names |= {"pooler.kernel": "pooler.dense.weight", "pooler.bias": "pooler.dense.bias"}
        arrays = {ours: self.read(theirs) for ours, theirs in names.items()}
        return {
            ours: np.ascontiguousarray(array.T) if ours.endswith("kernel") else array for ours, array in arrays.items()
        }

    def read(self, name: str) -> np.ndarray:
        """One tensor as float32.

        Raises:
            UserError: the checkpoint lacks it.
        """
        if name not in self.tensors:
            raise UserError(f"{self.folder}: model.safetensors must hold {name}, got no such tensor")
        return self.tensors[name].astype(np.float32)


def read_bert(folder: Path) -> Bert:
    """The BERT checkpoint in `folder`.

    Raises:
        UserError: a file is missing or unreadable, or it is no BERT.
    """
    folder = locate(folder)
    description, path = folder / "config.json", folder / "model.safetensors"
    for file in (description, path):
        if not file.is_file():
            raise UserError(f"comparator: init must be the folder of a BERT checkpoint, got no {file}")
    try:
        config = json.loads(description.read_text(encoding="utf-8"))
        tensors = safetensors.numpy.load_file(path)
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise UserError(f"comparator: init must be a BERT checkpoint, got {folder}: {error}") from None
    found = config.get("model_type") if isinstance(config, dict) else None
    if found != "bert":
        raise UserError(f"comparator: init must be a checkpoint of model_type bert, got {found}")
    plain = {name.removeprefix("bert."): array for name, array in tensors.items()}
    return Bert(folder, _read_size(config, folder), plain, hash_file(path))


def _read_size(config: dict[str, Any], folder: Path) -> TransformerSize:
    names = ("num_hidden_layers", "hidden_size", "num_attention_heads", "intermediate_size", "vocab_size")
    for name in (*names, "max_position_embeddings", "type_vocab_size"):
        if not isinstance(config.get(name), int):
            raise UserError(f"{folder / 'config.json'}: {name} must be a whole number, got {config.get(name)}")
    layers, width, heads, inner, vocabulary = (config[name] for name in names)
    positions, types = config["max_position_embeddings"], config["type_vocab_size"]
    return TransformerSize(layers, width, heads, inner, vocabulary, positions, types)
