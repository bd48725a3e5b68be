"""A GGUF file: a checkpoint's configuration, tokenizer and weights in one, the weights mostly quantized.

In: the path of such a file.  Out: find_gguf(), require_sha256(), read_gguf(), describe_gguf(), split_place().
Imports: gguf (extra `gguf`), inside; transformers reads the file, and takes its weights out of their blocks again.
"""

from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from teacher_cache.errors import UserError
from teacher_cache.outside import locate
from teacher_cache.teacher.base.identity import hash_once

WHOLE = {"F64", "F32", "F16", "BF16"}


def find_gguf(path: str) -> Path:
    """Where the file is.

    Raises:
        UserError: it is nowhere, or what reads it is not installed.
    """
    if find_spec("gguf") is None:
        raise UserError("a base of kind gguf needs the package gguf: pip install 'qdllm[gguf]'")
    file = locate(path)
    if not file.is_file():
        raise UserError(
            f"base.path must be a GGUF file that exists, got {path}; `qdllm fetch smollm2 FOLDER` writes one"
        )
    return file


def require_sha256(file: Path, expected: str) -> None:
    """Refuse a file that is not the one that params.yaml means.

    Raises:
        UserError: its SHA-256 is another.
    """
    found = hash_once(file)
    if found != expected:
        raise UserError(
            f"{file}: base.sha256 must be the file's, {found}, got {expected}; fetch the file again, or set "
            "base.sha256 where this is the file that you mean"
        )


def read_gguf(file: Path) -> tuple[Any, str]:
    """The reader that package gguf has of it, and the architecture that it names.

    Raises:
        UserError: it is no GGUF file, or it was cut off.
    """
    from gguf import GGUFReader

    try:
        reader = GGUFReader(file)
        return reader, str(reader.fields["general.architecture"].contents())
    except (ValueError, KeyError, IndexError, OverflowError) as error:
        raise UserError(
            f"{file} must be a GGUF file, whole and with general.architecture: {error}; fetch it again"
        ) from None


def describe_gguf(file: Path) -> dict[str, Any]:
    """What describe_checkpoint() says of a folder; and `weights`, how they are stored and what becomes of them.

    Raises:
        UserError: it is no GGUF file, or it was cut off.
    """
    reader, architecture = read_gguf(file)
    sizes = Counter[str]()
    for tensor in reader.tensors:
        sizes[tensor.tensor_type.name] += int(tensor.n_elements)
    most = max(sizes, key=lambda name: (name not in WHOLE, sizes[name]))  # norms stay whole whatever the rest is
    return {
        "architecture": architecture,
        "parameters": sum(sizes.values()),
        "weights": most if most in WHOLE else f"{most}, dequantised",
        "weights_sha256": hash_once(file),
        "tokenizer_sha256": hash_once(file),
    }


def split_place(checkpoint: Path) -> tuple[Path, dict[str, Any]]:
    """How transformers wants to be told of `checkpoint`, a folder or a GGUF file: the folder, and what goes with it."""
    return (checkpoint.parent, {"gguf_file": checkpoint.name}) if checkpoint.is_file() else (checkpoint, {})
