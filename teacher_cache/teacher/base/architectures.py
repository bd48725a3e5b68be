"""What is known of architectures: what LoRA adapts in each, what is trained whole, how many tokens it can tell apart.

In: a sequence classifier of transformers, on any device.  Out: find_targets(), list_whole(), find_embeddings(),
count_positions().  Imports: torch, transformers; peft, inside.
"""

from collections.abc import Iterable
from typing import Any

import torch
from transformers.pytorch_utils import Conv1D

from teacher_cache.errors import UserError
from teacher_cache.teacher.base.quantization import do_without

# Which projections LoRA adapts, by config.model_type. These sets, at rank 200 and with a 4-class head, give the
# sizes of the paper's Table 3 (tests/teacher_cache/teacher/base/test_llms.py counts them).
LORA_TARGETS = {
    "bloom": ("query_key_value",),
    "opt": ("q_proj", "v_proj"),
    "llama": ("q_proj", "k_proj", "v_proj"),
}
# What projections to queries and values are called elsewhere; the first line of which a backbone has all is taken.
CONVENTIONS = (
    ("q_proj", "v_proj"),
    ("query", "value"),
    ("q_lin", "v_lin"),
    ("query_proj", "value_proj"),
    ("Wqkv",),
    ("qkv_proj",),
    ("query_key_value",),
    ("c_attn",),
    ("in_proj",),
    ("q", "v"),
)
# Parts of a backbone that a checkpoint of a language model may lack, as nothing but a classifier's head reads them.
FRESH = ("pooler", "sequence_summary")


def find_targets(model: Any, wanted: Iterable[str] | str | None = None) -> list[str] | str:
    """Names, or peft's pattern, of the linear layers of the backbone of `model` that LoRA adapts.

    Args:
        model: a sequence classifier.
        wanted: names as of finetune.target_modules; None for ours, else peft's, else those of CONVENTIONS, else all
            linear layers.

    Raises:
        UserError: a wanted name is none of a linear layer's, or the backbone has no linear layer.
    """
    linear = list_linear(model)
    if not linear:
        raise UserError(
            f"{model.config.model_type} must have linear layers, which LoRA adapts, got none in its backbone"
        )
    if isinstance(wanted, str):
        return linear
    if wanted is not None:
        _require_names("target_modules", "linear layers", wanted, linear)
        return list(wanted)
    known = _look_up(model.config.model_type)
    if isinstance(known, str) or (known and all(find_matches(name, linear) for name in known)):
        return known
    for names in CONVENTIONS:
        if all(find_matches(name, linear) for name in names):
            return list(names)
    return linear


def list_linear(model: Any) -> list[str]:
    """Full names of the linear layers of the backbone of `model`."""
    kinds = (torch.nn.Linear, Conv1D)
    prefix = model.base_model_prefix + "."
    return [name for name, module in model.named_modules() if isinstance(module, kinds) and name.startswith(prefix)]


def list_whole(model: Any, missing: Iterable[str], wanted: Iterable[str] = ()) -> list[str]:
    """Full names of the modules of `model` that are trained whole and kept with the adapter.

    These are all outside of the backbone, what the checkpoint lacks of it, and what finetune.modules_to_save names.

    Args:
        model: a sequence classifier.
        missing: names of the parameters that the checkpoint lacks.
        wanted: names of modules, as of finetune.modules_to_save.

    Raises:
        UserError: a wanted module does not exist, or cannot be trained whole.
    """
    backbone = model.base_model_prefix
    heads = [name for name, part in model.named_children() if name != backbone and any(True for _ in part.parameters())]
    fresh = {name.rpartition(".")[0] for name in missing if name.startswith(f"{backbone}.")}
    containers = (torch.nn.ModuleList, torch.nn.ModuleDict)
    known = [
        name
        for name, part in model.named_modules()
        if name and not isinstance(part, containers) and any(True for _ in part.parameters())
    ]
    wanted = list(wanted)
    _require_names("modules_to_save", "modules", wanted, known)
    asked = {match for name in wanted for match in find_matches(name, known)}
    chosen = {*heads, *fresh, *asked}
    return sorted(name for name in chosen if not any(name.startswith(f"{other}.") for other in chosen))


def find_embeddings(model: Any) -> str:
    """Full name of the module of `model` that embeds its tokens.

    Raises:
        UserError: the embeddings are shared with another module, so that training one of them would part them.
    """
    embeddings = model.get_input_embeddings()
    holding = [name for name, part in model.named_modules() if getattr(part, "weight", None) is embeddings.weight]
    if len(holding) != 1:
        raise UserError(
            f"finetune.train_embeddings must be false for {model.config.model_type}, which shares its embeddings "
            f"among {', '.join(holding)}"
        )
    return holding[0]


def count_positions(model: Any) -> int | None:
    """How many tokens of a text `model` can take; None where its positions have no end.

    RoBERTa and its kin count positions from the padding's id, so that a table of 514 holds 512 tokens.
    """
    for name, part in model.named_modules():
        if name.endswith("position_embeddings") and getattr(part, "padding_idx", None) is not None:
            return len(part.weight) - part.padding_idx - 1
    return getattr(model.config.get_text_config(), "max_position_embeddings", None) or None


def find_matches(name: str, full_names: Iterable[str]) -> list[str]:
    """Those of `full_names` that `name` is, or is the end of, as peft matches."""
    return [full for full in full_names if full == name or full.endswith(f".{name}")]


def _look_up(architecture: str) -> list[str] | str | None:
    if architecture in LORA_TARGETS:
        return list(LORA_TARGETS[architecture])
    with do_without():
        from peft.utils import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING as PEFT_TARGETS

    found = PEFT_TARGETS.get(architecture)
    return found if found is None or isinstance(found, str) else list(found)


def _require_names(key: str, kind: str, wanted: Iterable[str], known: list[str]) -> None:
    for name in wanted:
        if not find_matches(name, known):
            ends = sorted({full.rpartition(".")[2] for full in known} - {str(number) for number in range(1000)})
            raise UserError(f"finetune.{key} must name {kind} of the base, got {name}; it has {', '.join(ends)}")
