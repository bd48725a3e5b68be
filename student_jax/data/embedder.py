"""Text -> frozen features: fitted once on the training split and the pool, applied anywhere.

In: EmbedConfig and texts, or the folder of a saved embedder.
Out: Embedder, fit_embedder(), load_embedder(), read_config(), link_embedder(), identify_embedder().
Imports: NumPy, pydantic, safetensors, and what the kind of features needs; never jax.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors.numpy
from pydantic import TypeAdapter
from safetensors import SafetensorError

from student_jax.config import EmbedConfig
from teacher_cache.errors import UserError
from teacher_cache.publish import publish_file
from teacher_cache.sealed import read_sealed, write_sealed
from teacher_cache.text import PLAIN, TextRules

if TYPE_CHECKING:  # of which each kind of features needs its own, and takes as long to import as it does
    from student_jax.data.corpus_features import CorpusEmbedding
    from student_jax.data.encoder_features import Encoder, EncoderEmbedding, FindEncoder
    from student_jax.data.file_features import FileEmbedding
    from student_jax.data.static_features import StaticEmbedding

FORMAT = 1
TENSORS, DESCRIPTION = "embedder.safetensors", "embedder.json"


@dataclass(frozen=True)
class Embedder:
    """A fitted embedder: its settings, its embedding of one of four kinds, and what it takes for a text."""

    config: EmbedConfig
    embedding: "CorpusEmbedding | StaticEmbedding | EncoderEmbedding | FileEmbedding"
    rules: TextRules = PLAIN

    @property
    def dimensions(self) -> int:
        """Length of a feature vector."""
        return self.embedding.dimensions

    @property
    def inference_parameters(self) -> int:
        """Numbers that a text's features are computed with."""
        return self.embedding.inference_parameters

    def transform(self, texts: Sequence[str]) -> np.ndarray:
        """Features (rows, dimensions) of the normal form of `texts`, float32, mean square about 1.

        Raises:
            UserError: features of the kind `file`.
        """
        return self.embedding.transform([self.rules.normalise(text) for text in texts])

    def prepare(self, vectors: np.ndarray) -> np.ndarray:
        """Features of vectors made elsewhere: those of a file are scaled, all others are features already."""
        from student_jax.data.file_features import FileEmbedding

        return self.embedding.prepare(vectors) if isinstance(self.embedding, FileEmbedding) else vectors

    def save(self, folder: Path) -> None:
        """Publish embedder.safetensors and embedder.json in `folder`."""
        tensors, content = self.embedding.to_content()
        config = asdict(self.config)
        for key in ("fit_texts", "hashed"):  # version 0.1 knew neither, and most embedders are the same bytes with it
            if config[key] == getattr(EmbedConfig, key):
                del config[key]
        # Nor any rules, which are then its own.
        rules = {key: value for key, value in asdict(self.rules).items() if value != getattr(PLAIN, key)}
        data = safetensors.numpy.save({name: np.ascontiguousarray(array) for name, array in tensors.items()})
        with publish_file(folder / TENSORS) as temporary:
            temporary.write_bytes(data)
        write_sealed(
            folder / DESCRIPTION,
            {
                "format": FORMAT,
                "sha256": hashlib.sha256(data).hexdigest(),
                "config": config,
                "dimensions": self.dimensions,
                "inference_parameters": self.inference_parameters,
                **({"text": rules} if rules else {}),
                **content,
            },
        )


def fit_embedder(
    config: EmbedConfig,
    texts: Sequence[str],
    labels: Sequence[int] | np.ndarray | None = None,
    encoder: "Encoder | None" = None,
    rules: TextRules = PLAIN,
) -> Embedder:
    """Fit on the training split and the pool, and on nothing else.

    Args:
        config: which features.
        texts: of the training split, and of the pool.
        labels: their classes, NO_LABEL in the pool; `corpus` weighs its terms by them where `class_weights` is set, and
            without them leaves terms unweighted.
        encoder: the frozen model, for `encoder` alone.
        rules: of the texts' normal form, now and later.

    Raises:
        UserError: no texts, a checkpoint that cannot be used, no term that is frequent enough, or no encoder.
    """
    if not texts:
        raise UserError("embed: the training split must have at least one text, got 0")
    texts = [rules.normalise(text) for text in texts]
    if config.kind == "corpus":
        from student_jax.data.corpus_fit import fit_corpus

        return Embedder(config, fit_corpus(config, texts, labels if config.class_weights else None), rules)
    if config.kind == "static":
        from student_jax.data.static_features import fit_static

        return Embedder(config, fit_static(config, texts), rules)
    from student_jax.data.encoder_features import fit_encoder, require_encoder

    return Embedder(config, fit_encoder(require_encoder(encoder, config), texts), rules)


def read_config(folder: Path) -> EmbedConfig:
    """The settings of the embedder in `folder`, without its tensors.

    Raises:
        UserError: embedder.json is missing or damaged.
    """
    try:
        return _parse_config(read_sealed(folder / DESCRIPTION, FORMAT))
    except FileNotFoundError as error:
        raise UserError(f"{error.filename} must exist; run the embed stage or `dvc pull`") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{folder} holds no readable embedder: {' '.join(str(error).split())[:200]}; remake it"
        ) from None


def _parse_config(content: Mapping[str, Any]) -> EmbedConfig:
    # By way of JSON, where pydantic's strict mode takes values as they are written and no others.
    return TypeAdapter(EmbedConfig).validate_json(json.dumps(content["config"]))


def load_embedder(folder: Path, encoder: "Encoder | FindEncoder | None" = None) -> Embedder:
    """The embedder that was saved in `folder`.

    Args:
        folder: embedder.safetensors and embedder.json.
        encoder: the frozen model of the kind `encoder`, or what finds it for these settings.

    Raises:
        UserError: a file is missing, damaged or of another format, or features of kind encoder without an encoder.
    """
    try:
        content = read_sealed(folder / DESCRIPTION, FORMAT)
        data = (folder / TENSORS).read_bytes()
        if hashlib.sha256(data).hexdigest() != content["sha256"]:
            raise UserError(f"{folder / TENSORS} must be the file that {DESCRIPTION} names; remake or pull both")
        tensors = safetensors.numpy.load(data)
        for name, array in tensors.items():
            if array.dtype.kind != "f" or not np.isfinite(array).all():
                raise ValueError(f"{name} must hold finite numbers, got {array.dtype}")
        config = _parse_config(content)
        rules = TypeAdapter(TextRules).validate_python(content.get("text", {}))
        return Embedder(config, _restore(config, tensors, content, encoder), rules)
    except FileNotFoundError as error:
        raise UserError(f"{error.filename} must exist; run the embed stage or `dvc pull`") from None
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise UserError(
            f"{folder} holds no readable embedder: {' '.join(str(error).split())[:200]}; remake it"
        ) from None


def link_embedder(source: Path, target: Path) -> str:
    """Put the embedder of folder `source` into folder `target` too, as hard links where the file system has them.

    Returns:
        SHA-256 of embedder.json, which itself names the SHA-256 of the tensors.
    """
    for name in (TENSORS, DESCRIPTION):
        try:
            os.link(source / name, target / name)
        except OSError:
            shutil.copyfile(source / name, target / name)
    return identify_embedder(target)


def identify_embedder(folder: Path) -> str:
    """SHA-256 of the folder's embedder.json."""
    return hashlib.sha256((folder / DESCRIPTION).read_bytes()).hexdigest()


def _restore(
    config: EmbedConfig,
    tensors: Mapping[str, np.ndarray],
    content: Mapping[str, Any],
    encoder: "Encoder | FindEncoder | None",
) -> "CorpusEmbedding | StaticEmbedding | EncoderEmbedding | FileEmbedding":
    if config.kind == "corpus":
        from student_jax.data.corpus_features import CorpusEmbedding

        return CorpusEmbedding.from_content(config, tensors, content)
    if config.kind == "static":
        try:
            from student_jax.data.static_features import StaticEmbedding
        except ModuleNotFoundError as error:
            raise UserError(f"features of kind static need {error.name}: pip install 'qdllm[student]'") from None

        return StaticEmbedding.from_content(tensors, content)
    if config.kind == "file":
        from student_jax.data.file_features import FileEmbedding

        return FileEmbedding.from_content(tensors, content)
    from student_jax.data.encoder_features import EncoderEmbedding, require_encoder

    return EncoderEmbedding.from_content(require_encoder(encoder, config), tensors)
