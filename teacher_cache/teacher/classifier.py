"""Checkpoint folder -> sequence classifier; LoRA onto it; its adapter to and from safetensors.

In: a folder of safetensors.  Out: load_classifier, attach_lora, adapter_tensors, write_adapter_config,
merge_adapter.  Imports: torch, transformers, peft.
"""

import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForSequenceClassification
from transformers.utils import logging

from teacher_cache.errors import UserError
from teacher_cache.publish import write_json
from teacher_cache.teacher.base.architectures import embedding_module, lora_targets
from teacher_cache.teacher.base.quantization import do_without, keep_layout, make_quantization
from teacher_cache.teacher.device import find_device
from teacher_cache.teacher.tokenization import first_line

with do_without():
    from peft import LoraConfig, PeftModel, TaskType, get_peft_model
    from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict

ADAPTER_WEIGHTS = "adapter_model.safetensors"  # peft's names: any tool of its family can load the folder
ADAPTER_CONFIG = "adapter_config.json"
RECORD = "finetune.json"

# Their report of the untrained head and their progress bars would tell the user of faults that are none.
logging.set_verbosity_error()
logging.disable_progress_bar()


def load_classifier(
    checkpoint: Path, tokenizer: Any, classes: int, dtype: str, max_length: int, quantization: str | None = None
) -> Any:
    """The checkpoint as a sequence classifier with a fresh head, drawn from torch's global generator.

    It is on the CPU, but on this process's GPU where `quantization` (8bit or 4bit) holds its matrices in fewer bits.

    Raises:
        UserError: transformers cannot load it without running its code, `max_length` exceeds its positions, or
            bitsandbytes is not installed.
    """
    quantized: dict[str, Any] = {}
    if quantization:
        quantized = {"quantization_config": make_quantization(quantization, dtype), "device_map": {"": find_device()}}
    try:
        config = AutoConfig.from_pretrained(checkpoint, num_labels=classes, pad_token_id=tokenizer.pad_token_id)
        model = AutoModelForSequenceClassification.from_pretrained(
            checkpoint,
            config=config,
            dtype=getattr(torch, dtype),
            use_safetensors=True,
            trust_remote_code=False,
            **quantized,
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise UserError(f"{checkpoint}: cannot be loaded as a classifier: {first_line(error)}") from None
    positions = getattr(config.get_text_config(), "max_position_embeddings", None) or max_length
    if max_length > positions:
        raise UserError(f"finetune.max_length must be <= {positions}, the positions of the base, got {max_length}")
    keep_layout(model)
    return model


def attach_lora(model: Any, rank: int, alpha: float, dropout: float, train_embeddings: bool) -> PeftModel:
    """`model` with trainable float32 LoRA matrices and head, and embeddings where asked; all else is frozen.

    Source: Hu et al. 2021, arXiv:2106.09685; rank and targets as in the paper's section 5.
    """
    architecture = model.config.model_type
    config = LoraConfig(
        task_type=TaskType.SEQ_CLS,  # this makes peft train and save the head
        r=rank,
        lora_alpha=alpha,  # type: ignore[arg-type]  # peft only divides it by r
        lora_dropout=dropout,
        target_modules=lora_targets(architecture),
        modules_to_save=[embedding_module(architecture)] if train_embeddings else None,
    )
    adapted = _adapt(model, config)
    for parameter in adapted.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()  # Adam's small steps are lost in half precision
    return adapted


def adapter_tensors(model: PeftModel) -> dict[str, torch.Tensor]:
    """All that fine-tuning changed, by peft's names: LoRA matrices, head, trained embeddings."""
    return get_peft_model_state_dict(model, save_embedding_layers=False)


def write_adapter_config(model: PeftModel, folder: Path) -> None:
    """Write peft's adapter_config.json, the same bytes on every machine."""
    content = model.peft_config["default"].to_dict()
    content |= {"inference_mode": True, "base_model_name_or_path": None}  # a path would differ from place to place
    write_json(folder / ADAPTER_CONFIG, {key: _in_order(value) for key, value in sorted(content.items())})


def merge_adapter(model: Any, adapter: Path) -> Any:
    """Base weights plus LoRA's scaled product, eq. 13: the fine-tuned classifier as one plain network.

    A quantized base keeps the adapter beside its weights, in which the adapter's small numbers would be rounded away.

    Raises:
        UserError: the adapter is missing, broken, of another base, or lacks its head.
    """
    tensors = _read_adapter(adapter)
    try:
        config = LoraConfig.from_pretrained(str(adapter))
        adapted = _adapt(model, config)
        # peft itself passes over a head that was not saved, and would go on with a random one.
        differing = sorted(set(adapter_tensors(adapted)) ^ set(tensors))
        if not differing:
            set_peft_model_state_dict(adapted, tensors)
    except (OSError, ValueError, RuntimeError, TypeError) as error:
        raise UserError(f"{adapter}: adapter does not fit the base: {first_line(error)}") from None
    if differing:
        raise UserError(f"{adapter}: adapter must hold what its config says, got a difference in {differing[0]}")
    return adapted if _is_quantized(model) else adapted.merge_and_unload()


def _read_adapter(adapter: Path) -> dict[str, torch.Tensor]:
    try:
        return load_file(adapter / ADAPTER_WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise UserError(
            f"{adapter / ADAPTER_WEIGHTS} must be a safetensors file: {first_line(error)}; run stage finetune again"
        ) from None


def _adapt(model: Any, config: LoraConfig) -> PeftModel:
    with warnings.catch_warnings(), nullcontext() if _is_quantized(model) else do_without():
        # What only peft can mend: 0.21 asks transformers 5 by an old name.
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)
        return get_peft_model(model, config)


def _is_quantized(model: Any) -> bool:
    return bool(getattr(model, "is_quantized", False))


def _in_order(value: Any) -> Any:
    return sorted(value) if isinstance(value, set) else value
