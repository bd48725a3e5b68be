"""Stage `base`: what a teacher starts from, and how the later stages open it.

In: a LocalBase, HubBase or GgufBase.  Out: make_base() writes identity.json, and the weights of a local base;
open_base(), find_base().
Imports: torch and transformers only inside, where a base is made.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from teacher_cache.errors import UserError
from teacher_cache.outside import locate
from teacher_cache.publish import write_json
from teacher_cache.teacher.base.gguf_file import describe_gguf, find_gguf, require_sha256
from teacher_cache.teacher.base.identity import describe_checkpoint, hash_once
from teacher_cache.teacher.base.snapshot import fetch_snapshot
from teacher_cache.teacher.teacher_config import GgufBase, HubBase, LocalBase

IDENTITY = "identity.json"


def make_base(
    config: LocalBase | HubBase | GgufBase,
    texts: Sequence[str],
    seed: int,
    folder: Path,
    instructions: Sequence[tuple[str, str]] = (),
) -> None:
    """Write identity.json into the existing, empty `folder`, and beside it a local base's weights and tokenizer.

    Args:
        config: local: trained here on `texts`; others: found, checked and recorded, the weights stay where they are.
        texts: the unlabelled training texts of a task; a pretrained base ignores them.
        seed: of the local base; equal arguments give equal bytes on one machine with one number of threads.
        folder: receives the files.
        instructions: texts beside the task's, with their class's name, that a local base learns to name.

    Raises:
        UserError: the model is missing, gated, not pinned, not what was pinned, holds no safetensors, or cannot become
            a classifier with LoRA; or training went wrong.
    """
    if isinstance(config, LocalBase):
        from teacher_cache.teacher.base.local_model import train_local

        train_local(config, texts, seed, folder, instructions)
        source = {"kind": "local", "model": None, "revision": None, "dtype": "float32"}
        instructed = {"instructed": len(instructions)} if instructions else {}
        identity = source | instructed | describe_checkpoint(folder)
    elif isinstance(config, GgufBase):
        checkpoint = find_gguf(config.path)
        require_sha256(checkpoint, config.sha256)
        source = {"kind": "gguf", "model": config.path, "revision": None, "dtype": config.dtype}
        identity = source | describe_gguf(checkpoint)
    else:
        checkpoint = _find_checkpoint(config.model, config.revision, ask_hub=True)
        source = {"kind": "hub", "model": config.model, "revision": config.revision, "dtype": config.dtype}
        if config.quantization:
            source["quantization"] = config.quantization
        identity = source | describe_checkpoint(checkpoint)
    if not isinstance(config, LocalBase):
        from teacher_cache.teacher.base.trial import try_checkpoint

        try_checkpoint(checkpoint, config.dtype)
    write_json(folder / IDENTITY, identity)


def open_base(base: Path) -> tuple[Path, dict[str, Any]]:
    """The checkpoint of a finished base, a folder or a GGUF file, and its identity, with which all of it was compared.

    Raises:
        UserError: no base was made there, or the checkpoint has changed since.
    """
    checkpoint, identity = find_base(base)
    whole = {"weights_sha256": hash_once(checkpoint)} if checkpoint.is_file() else describe_checkpoint(checkpoint)
    for name, found in whole.items():
        if found != identity[name]:
            raise UserError(
                f"{checkpoint}: {name} must be {identity[name]}, as when stage base ran, got {found}; "
                "run stage base again"
            )
    return checkpoint, identity


def find_base(base: Path) -> tuple[Path, dict[str, Any]]:
    """The checkpoint of a finished base and its identity, with which no byte was compared yet.

    Raises:
        UserError: no base was made there.
    """
    try:
        identity = json.loads((base / IDENTITY).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{base / IDENTITY} must exist; run stage base") from None
    except ValueError:
        raise UserError(f"{base / IDENTITY} must be JSON; run stage base again") from None
    if identity["kind"] == "local":
        return base, identity
    if identity["kind"] == "gguf":
        return find_gguf(identity["model"]), identity
    return _find_checkpoint(identity["model"], identity["revision"], ask_hub=False), identity


def _find_checkpoint(model: str, revision: str | None, ask_hub: bool) -> Path:
    folder = locate(model)
    if folder.is_dir():
        return folder
    if revision is None:
        raise UserError(
            f"base.model must be a folder that exists, or a hub id with base.revision (40 hex digits), got {model}"
        )
    return fetch_snapshot(model, revision, ask_hub)
