"""Features from a frozen token-embedding table: the mean of a text's token vectors, no context, no torch.

In: a checkpoint folder (safetensors, tokenizer.json).  Out: StaticEmbedding, fit_static().
Imports: NumPy, safetensors, tokenizers.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from tokenizers import Tokenizer

from student_jax.config import EmbedConfig
from teacher_cache.errors import UserError
from teacher_cache.outside import locate

# How BERT's relatives and BLOOM, OPT and LLaMA, and GPT-2 call the table.
TABLES = ("word_embeddings.weight", "embed_tokens.weight", "wte.weight")


@dataclass(frozen=True)
class StaticEmbedding:
    """A tokenizer and a table (vocabulary, dimensions), centred and scaled, float16."""

    tokenizer: Tokenizer
    table: np.ndarray

    @property
    def dimensions(self) -> int:
        """Length of a feature vector."""
        return self.table.shape[1]

    @property
    def inference_parameters(self) -> int:
        """Numbers that a text's features are computed with."""
        return self.table.size

    def transform(self, texts: Sequence[str]) -> np.ndarray:
        """Features (rows, dimensions), float32; a text without tokens has the vector 0."""
        return _average(_tokenize(self.tokenizer, texts), self.table)

    def to_content(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """The embedding as named tensors and a JSON object."""
        return {"table": self.table}, {"tokenizer": json.loads(self.tokenizer.to_str())}

    @classmethod
    def from_content(cls, tensors: Mapping[str, np.ndarray], content: Mapping[str, Any]) -> "StaticEmbedding":
        """The embedding that `to_content` described.

        Raises:
            ValueError: there is no such tokenizer, or it has tokens that the table does not have.
        """
        try:
            tokenizer = Tokenizer.from_str(json.dumps(content["tokenizer"]))
        except Exception as error:  # of tokenizers, which has no narrower one
            raise ValueError(f"tokenizer: {error}") from None
        table = tensors["table"]
        _require_rows(tokenizer, table)
        return cls(tokenizer, table)


def fit_static(config: EmbedConfig, texts: Sequence[str]) -> StaticEmbedding:
    """Take the table of `config.checkpoint`, centred and scaled: training features have mean 0 and mean square 1.

    Raises:
        UserError: the folder, its tokenizer.json or its token-embedding table is missing or damaged.
    """
    folder = locate(config.checkpoint or "")
    if config.checkpoint is None or not folder.is_dir():
        raise UserError(f"embed.checkpoint must be a folder for kind static, got {config.checkpoint}")
    if not (folder / "tokenizer.json").is_file():
        raise UserError(f"{folder / 'tokenizer.json'} must exist; save the checkpoint with a fast tokenizer")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(config.max_length)
    table = read_table(folder)
    try:
        _require_rows(tokenizer, table)
    except ValueError as error:
        raise UserError(f"{folder}: {error}") from None
    tokens = _tokenize(tokenizer, texts)
    mean = _average(tokens, table).mean(axis=0)
    features = _average(tokens, table - mean)
    scale = 1 / np.sqrt(np.mean(features**2))
    return StaticEmbedding(tokenizer, ((table - mean) * scale).astype(np.float16))


def read_table(folder: Path) -> np.ndarray:
    """The token-embedding table (vocabulary, dimensions) of a checkpoint as float32.

    Raises:
        UserError: no or more than one table in the folder's safetensors files, or an unreadable file.
    """
    found = []
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(path, framework="numpy") as file:
                found += [file.get_tensor(name) for name in file.keys() if name.endswith(TABLES)]  # noqa: SIM118
        except SafetensorError as error:
            raise UserError(f"{path} cannot be read as safetensors: {error}") from None
    if len(found) != 1:
        raise UserError(f"{folder} must hold one tensor whose name ends in {' or '.join(TABLES)}, got {len(found)}")
    return found[0].astype(np.float32)


def _require_rows(tokenizer: Tokenizer, table: np.ndarray) -> None:
    rows = max(tokenizer.get_vocab().values(), default=-1) + 1
    if table.ndim != 2 or len(table) < rows:
        raise ValueError(f"the embedding table must have a row for each of {rows} tokens, got shape {table.shape}")


def _tokenize(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """The rows of each text's tokens, special tokens left out."""
    return [encoding.ids for encoding in tokenizer.encode_batch(list(texts), add_special_tokens=False)]


def _average(tokens: Sequence[Sequence[int]], table: np.ndarray) -> np.ndarray:
    """The mean of each text's rows of `table`, float32; 0 of no rows."""
    features = np.zeros((len(tokens), table.shape[1]), np.float32)
    for row, ids in enumerate(tokens):
        if ids:
            np.add.reduce(table[ids].astype(np.float32) * np.float32(1 / len(ids)), axis=0, out=features[row])
    return features
