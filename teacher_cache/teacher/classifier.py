"""Checkpoint folder -> sequence classifier, with what the checkpoint lacks of it.

In: a folder of safetensors, or a GGUF file.  Out: load_classifier(), Classifier, require_weights().
Imports: torch, transformers.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm
from transformers import AutoConfig, AutoModelForSequenceClassification, GgufConfig, modeling_gguf_pytorch_utils
from transformers.utils import logging

from teacher_cache.errors import UserError
from teacher_cache.teacher.base.architectures import FRESH, count_positions, list_whole
from teacher_cache.teacher.base.gguf_file import split_place
from teacher_cache.teacher.base.quantization import keep_layout, make_quantization
from teacher_cache.teacher.heads import settle_head
from teacher_cache.teacher.tokenization import first_line, require_tokens
from teacher_cache.teacher.torch_device import find_device

# Their report of the untrained head and their progress bars would tell the user of faults that are none.
logging.set_verbosity_error()
logging.disable_progress_bar()
modeling_gguf_pytorch_utils.tqdm = partial(tqdm, disable=True)  # a bar that the line before does not reach
# What transformers raises for a checkpoint that it cannot load.
UNLOADABLE = (AssertionError, AttributeError, ImportError, KeyError, OSError, RuntimeError, TypeError, ValueError)


@dataclass(frozen=True)
class Classifier:
    """A loaded model, the parameters that its checkpoint lacks, and what is to be said of the head that it brought."""

    model: Any
    missing: frozenset[str] = frozenset()
    note: str | None = None


def load_classifier(
    checkpoint: Path,
    tokenizer: Any,
    labels: Sequence[str],
    dtype: str,
    max_length: int,
    quantization: str | None = None,
    device: str | None = None,
) -> Classifier:
    """The checkpoint as a sequence classifier; what it lacks is drawn from torch's global generator.

    It is on the CPU, but on this process's GPU where `quantization` (8bit or 4bit) holds its matrices in fewer bits.
    Device "meta" gives shapes alone, without memory.

    Raises:
        UserError: transformers cannot load it without running its code, it lacks more than a head, `max_length` exceeds
            its positions, the tokenizer is another's, or bitsandbytes is not installed.
    """
    folder, file = split_place(checkpoint)
    options: dict[str, Any] = {"device_map": {"": device}} if device else {}
    if file:  # else transformers would keep weights that cannot be trained, where a GPU has a kernel for them
        options["quantization_config"] = GgufConfig(dequantize=True)
    if quantization:
        shapes = load_classifier(checkpoint, tokenizer, labels, dtype, max_length, device="meta")
        whole = list_whole(shapes.model, shapes.missing)
        options = {
            "quantization_config": make_quantization(quantization, dtype, whole),
            "device_map": {"": find_device()},
        }
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False, **file)
        text, names = config.get_text_config(), dict(config.id2label or {})
        config.num_labels = len(labels)
        if not hasattr(text, "vocab_size"):
            raise ValueError(f"it must be a model of texts, got {config.model_type}")
        if getattr(text, "pad_token_id", None) is None or not 0 <= text.pad_token_id < text.vocab_size:
            text.pad_token_id = tokenizer.pad_token_id
        model, loading = AutoModelForSequenceClassification.from_pretrained(
            folder,
            config=config,
            dtype=getattr(torch, dtype),
            use_safetensors=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            **file,
            **options,
        )
    except UNLOADABLE as error:
        raise UserError(f"{checkpoint}: cannot be loaded as a classifier: {first_line(error)}") from None
    missing, mismatched = frozenset(loading["missing_keys"]), {key for key, *_ in loading["mismatched_keys"]}
    require_weights(checkpoint, model, missing, mismatched)
    require_tokens(tokenizer, text.vocab_size)
    # Not before: RoBERTa counts its positions from the padding's id that it was pretrained with.
    model.config.pad_token_id = model.config.get_text_config().pad_token_id = tokenizer.pad_token_id
    positions = count_positions(model) or max_length
    if max_length > positions:
        raise UserError(f"finetune.max_length must be <= {positions}, the positions of the base, got {max_length}")
    keep_layout(model)
    return Classifier(model, missing, settle_head(model, names, labels, missing, mismatched))


def require_weights(checkpoint: Path, model: Any, missing: Collection[str], mismatched: Collection[str]) -> None:
    """Refuse a checkpoint that lacks more of `model` than a head and what no language model has.

    Raises:
        UserError: it does, or the sizes of its weights are not those of its config.json.
    """
    prefix = f"{model.base_model_prefix}." if hasattr(model, model.base_model_prefix) else ""
    lacking = sorted(name for name in missing if name.startswith(prefix) and not any(part in name for part in FRESH))
    if lacking:
        raise UserError(
            f"{checkpoint}: weights must be those of the {model.config.model_type} that config.json says, got none of "
            f"{lacking[0]}{f' and {len(lacking) - 1} others' * (len(lacking) > 1)}; take the whole checkpoint"
        )
    different = sorted(name for name in mismatched if name.startswith(prefix))
    if different:
        raise UserError(
            f"{checkpoint}: weights must have the sizes that config.json says, got another for {different[0]}; "
            "take the checkpoint's own config.json"
        )
