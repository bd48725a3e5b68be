"""Tiny teachers for the tests, made on the spot: text that can be learned, local bases, stand-in checkpoints."""

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from teacher_cache.schema import EXAMPLES
from teacher_cache.teacher.base.checkpoints import make_base
from teacher_cache.teacher.base.local_model import train_tokenizer
from teacher_cache.teacher.teacher_config import FinetuneConfig, LocalBase

LABELS = ["animal", "tool", "weather"]
WORDS = [
    ["otter", "heron", "badger", "weasel", "sparrow"],
    ["hammer", "chisel", "wrench", "pliers", "mallet"],
    ["drizzle", "thunder", "fog", "blizzard", "breeze"],
]
FILLER = ["the", "old", "and", "near", "a", "quiet", "under", "seen", "again", "today", "with", "no"]


def make_texts(rows: int, seed: int = 0) -> tuple[list[str], list[int]]:
    """Texts of 3 to 14 words, among them one word that tells the class."""
    random = np.random.default_rng(seed)
    texts, classes = [], []
    for row in range(rows):
        label = row % len(LABELS)
        words = list(random.choice(FILLER, random.integers(2, 14)))
        words.insert(random.integers(len(words) + 1), random.choice(WORDS[label]))
        texts.append(" ".join(words))
        classes.append(label)
    return texts, classes


def make_examples(rows: int = 90, seed: int = 0) -> pa.Table:
    """Examples in the schema, 6 : 2 : 2."""
    texts, classes = make_texts(rows, seed)
    split = ["train"] * (rows * 6 // 10) + ["validation"] * (rows * 2 // 10)
    split += ["test"] * (rows - len(split))
    ids = [hashlib.blake2b(f"{row} {text}".encode(), digest_size=16).digest() for row, text in enumerate(texts)]
    return pa.table([ids, pa.array(split).dictionary_encode(), classes, texts], names=EXAMPLES.names).cast(EXAMPLES)


def make_stand_in(architecture: str, folder: Path, pad: bool = True, width: int = 32) -> Path:
    """A pretrained checkpoint as the hub has them: sharded safetensors, a real tokenizer, random weights."""
    tokenizer = train_tokenizer(make_texts(90)[0], 400)
    if not pad:
        tokenizer.pad_token = None
    sizes = {"vocab_size": len(tokenizer), "hidden_size": width, "num_hidden_layers": 3, "num_attention_heads": 4}
    sizes |= {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2 if pad else None}
    own = {
        "bloom": {},
        "opt": {"ffn_dim": 64, "word_embed_proj_dim": width, "max_position_embeddings": 64},
        "llama": {"intermediate_size": 64, "num_key_value_heads": 2, "max_position_embeddings": 64},
        "gpt2": {"n_positions": 64},
    }
    torch.manual_seed(5)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(architecture, **sizes, **own[architecture]))
    model.save_pretrained(folder, max_shard_size="40KB")
    tokenizer.save_pretrained(folder)
    return folder


TINY = {"layers": 2, "width": 32, "heads": 4, "vocabulary": 400, "epochs": 1}
FAST = FinetuneConfig(rank=4, alpha=8.0, dropout=0.1, train_embeddings=True, epochs=4, batch_size=8, learning_rate=1e-2)


@pytest.fixture(scope="session")
def local_bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One tiny local base of each architecture."""
    bases = {}
    for architecture in ("bloom", "opt", "llama"):
        bases[architecture] = tmp_path_factory.mktemp(f"base_{architecture}")
        make_base(LocalBase("local", architecture, **TINY), make_texts(60)[0], 3, bases[architecture])
    return bases
