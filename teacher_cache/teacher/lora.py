"""LoRA onto a classifier, and its adapter to and from safetensors.

In: a loaded classifier.  Out: attach_lora(), adapter_tensors(), write_adapter_config(), restore_adapter(),
merge_adapter().  Imports: torch, peft.
"""

import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers.pytorch_utils import Conv1D

from teacher_cache.errors import UserError
from teacher_cache.publish import write_json
from teacher_cache.teacher.base.architectures import find_embeddings, find_targets, list_whole
from teacher_cache.teacher.base.quantization import do_without
from teacher_cache.teacher.classifier import Classifier
from teacher_cache.teacher.teacher_config import FinetuneConfig
from teacher_cache.teacher.tokenization import first_line

with do_without():
    from peft import LoraConfig, PeftModel, TaskType, get_peft_model
    from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict

ADAPTER_WEIGHTS = "adapter_model.safetensors"  # peft's names: any tool of its family can load the folder
ADAPTER_CONFIG = "adapter_config.json"
RECORD = "finetune.json"
HEADS = ("classifier", "score")  # peft itself trains and saves what ends in one of these


def attach_lora(classifier: Classifier, config: FinetuneConfig) -> PeftModel:
    """The model with trainable float32 LoRA matrices and head; all else but what `config` names is frozen.

    Source: Hu et al. 2021, arXiv:2106.09685; rank and targets as in the paper's section 5.

    Raises:
        UserError: `config` names modules that are not there or cannot be trained.
    """
    model = classifier.model
    whole = [name for name in list_whole(model, classifier.missing, config.modules_to_save) if not name.endswith(HEADS)]
    if config.train_embeddings:
        full = find_embeddings(model)
        end = full.rpartition(".")[2]
        # By its end, where that is its alone: version 0.1 did so, and the name is of the adapter's checksum.
        whole.append(end if sum(name.endswith(end) for name, _ in model.named_modules()) == 1 else full)
    targets = find_targets(model, config.target_modules)
    settings = LoraConfig(
        task_type=TaskType.SEQ_CLS,  # this makes peft train and save the head
        r=config.rank,
        lora_alpha=config.alpha,  # type: ignore[arg-type]  # peft only divides it by r
        lora_dropout=config.dropout,
        target_modules=targets,
        modules_to_save=whole or None,
        fan_in_fan_out=any(isinstance(module, Conv1D) for module in model.modules()),
    )
    try:
        adapted = _adapt(model, settings)
    except (ValueError, NotImplementedError) as error:
        raise UserError(f"LoRA cannot adapt {model.config.model_type} so: {first_line(error)}") from None
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
        UserError: as of restore_adapter().
    """
    adapted = restore_adapter(model, adapter)
    return adapted if _is_quantized(model) else adapted.merge_and_unload()


def restore_adapter(model: Any, adapter: Path) -> PeftModel:
    """`model` with the adapter beside its weights.

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
    return adapted


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
