"""A trained rival on disk: baseline.safetensors, tokenizer.json, and baseline.json, which says what they are.

In: a Training and what it was made with.  Out: save_rival().  Imports: safetensors, tokenizers.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import safetensors.numpy
from tokenizers import Tokenizer

from student_jax.comparators.comparator_config import BaselineConfig, Method
from student_jax.model import name_arrays
from student_jax.training.best_epochs import Training
from teacher_cache.publish import publish_file
from teacher_cache.sealed import write_sealed

FORMAT = 1
TENSORS, DESCRIPTION, TOKENIZER = "baseline.safetensors", "baseline.json", "tokenizer.json"


def save_rival(
    folder: Path,
    method: Method,
    training: Training,
    config: BaselineConfig,
    labels: Sequence[str],
    tokenizer: Tokenizer,
    origin: Mapping[str, str],
) -> None:
    """Publish a rival in the existing `folder`; its tensors have a leading axis of seeds.

    Args:
        folder: one that is not published yet.
        method: the rival's name.
        training: what `train` returned for it.
        config: what it was trained with.
        labels: class names in class order.
        tokenizer: what made its tokens.
        origin: what it was made from: task, teacher, fingerprint of the cache.
    """
    arrays = {name: np.ascontiguousarray(array) for name, array in name_arrays(training.parameters).items()}
    data = safetensors.numpy.save(arrays)
    text = tokenizer.to_str()
    for name, content in ((TENSORS, data), (TOKENIZER, text.encode())):
        with publish_file(folder / name) as temporary:
            temporary.write_bytes(content)
    description = {
        "format": FORMAT,
        "sha256": hashlib.sha256(data).hexdigest(),
        "tokenizer": hashlib.sha256(text.encode()).hexdigest(),
        "method": method,
        "labels": list(labels),
        "config": asdict(config),
        "seeds": training.seeds,
        "best_epochs": training.best_epochs,
        "selected": training.selected,
        "origin": dict(origin),
    }
    write_sealed(folder / DESCRIPTION, description)
