"""What a checkpoint folder is, by content: the refusals and the fields of identity.json.

In: a folder with config.json, safetensors and tokenizer files.  Out: describe_checkpoint(), hash_files(), hash_once().
Imports: safetensors, the standard library.
"""

import hashlib
import json
import math
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from teacher_cache.errors import UserError

TOKENIZER_FILES = (
    "added_tokens.json",
    "merges.txt",
    "special_tokens_map.json",
    "spiece.model",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "vocab.json",
    "vocab.txt",
)
# Any one of these is enough to rebuild the tokenizer; the others of TOKENIZER_FILES only add to it.
TOKENIZER_SOURCES = ("merges.txt", "spiece.model", "tokenizer.json", "tokenizer.model", "vocab.txt")
# A file this old has a later time stamp when it is written to again: kernels' clocks tick every 1 to 10 ms.
SETTLED_NANOSECONDS = 100_000_000


def describe_checkpoint(folder: Path) -> dict[str, Any]:
    """`architecture`, `parameters`, `weights_sha256` and `tokenizer_sha256` of the checkpoint in `folder`.

    `weights_sha256` covers config.json, every safetensors file and their index: all that decides what the network
    computes. Every byte is read, so that a checkpoint is known by what it holds and not by what it is called; a second
    time in one process those files alone that were written to since.

    Raises:
        UserError: config.json, safetensors weights or a tokenizer are missing, or a file of them cannot be read.
    """
    if (folder / "adapter_config.json").exists():  # for which transformers would load the base that it names
        raise UserError(
            f"{folder}: must hold a whole model, got an adapter (adapter_config.json); merge it into its base "
            "(merge_and_unload() of peft) and save that, with its tokenizer"
        )
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        other = next((path.name for pattern in ("*.bin", "*.pt", "*.pth") for path in folder.glob(pattern)), "none")
        raise UserError(
            f"{folder}: weights must be safetensors (pickled weights could run code), got {other}; "
            "convert the checkpoint, or pin a revision that has model.safetensors"
        )
    _require_shards(folder)
    tokenizer = [folder / name for name in TOKENIZER_FILES if (folder / name).is_file()]
    if not any(path.name in TOKENIZER_SOURCES for path in tokenizer):
        raise UserError(f"{folder}: one of {', '.join(TOKENIZER_SOURCES)} must exist, got no tokenizer")
    return {
        "architecture": _read_architecture(folder / "config.json"),
        "parameters": sum(_count_parameters(path) for path in weights),
        "weights_sha256": hash_files([folder / "config.json", *sorted(folder.glob("*.index.json")), *weights]),
        "tokenizer_sha256": hash_files(tokenizer),
    }


def hash_files(paths: Sequence[Path]) -> str:
    """SHA-256 over the names and the contents of `paths`, in their order."""
    digests = "".join(f"{path.name} {hash_once(path)}\n" for path in paths)
    return hashlib.sha256(digests.encode()).hexdigest()


def hash_once(path: Path) -> str:
    """SHA-256 of a file, remembered for as long as the file system says that it is the same file, not written to."""
    found = path.stat()
    stamp = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    settled = time.time_ns() - found.st_ctime_ns > SETTLED_NANOSECONDS
    return (_hash_at if settled else _hash_at.__wrapped__)(path, stamp)


@cache
def _hash_at(path: Path, stamp: tuple[int, ...]) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _require_shards(folder: Path) -> None:
    for index in folder.glob("*.safetensors.index.json"):
        shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        missing = sorted(shard for shard in shards if not (folder / shard).is_file())
        if missing:
            raise UserError(f"{folder / missing[0]} must exist, as {index.name} lists it; fetch the checkpoint again")


def _read_architecture(path: Path) -> str:
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["model_type"])
    except FileNotFoundError:
        raise UserError(f"{path} must exist: it says which architecture the weights belong to") from None
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{path} must be JSON with a model_type; take the checkpoint's own config.json") from None


def _count_parameters(path: Path) -> int:
    try:
        with safe_open(path, framework="numpy") as tensors:
            return sum(math.prod(tensors.get_slice(name).get_shape()) for name in tensors.keys())  # noqa: SIM118
    except SafetensorError as error:
        raise UserError(f"{path} must be a safetensors file: {error}; fetch it again") from None
