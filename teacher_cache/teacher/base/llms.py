"""The paper's five LLMs, and what a teacher is and how large, from configurations alone: no weights, no network.

In: one teacher's block of params.yaml.  Out: LLMS, describe_teacher(), measure_shapes().
Imports: torch, transformers and peft, inside.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from teacher_cache.errors import UserError
from teacher_cache.imports.import_config import FileBase
from teacher_cache.outside import locate
from teacher_cache.teacher.base.gguf_file import find_gguf, read_gguf, split_place
from teacher_cache.teacher.teacher_config import FinetuneConfig, GgufBase, HubBase, LocalBase, TeacherConfig


@dataclass(frozen=True)
class LargeModel:
    """One LLM of the paper: its architecture, the token that pads, and the sizes that decide its parameter count.

    `pad_token` is the tokenizer's own where it has one, else what tokenization.load_tokenizer() takes: end of text.
    """

    architecture: str
    pad_token: str
    sizes: dict[str, Any]


# By hub id. The sizes are those of the checkpoints' own config.json.
LLMS = {
    "bigscience/bloomz-1b1": LargeModel(
        "bloom", "<pad>", {"vocab_size": 250880, "hidden_size": 1536, "n_layer": 24, "n_head": 16}
    ),
    "bigscience/bloomz-3b": LargeModel(
        "bloom", "<pad>", {"vocab_size": 250880, "hidden_size": 2560, "n_layer": 30, "n_head": 32}
    ),
    "facebook/opt-6.7b": LargeModel(
        "opt",
        "<pad>",
        {
            "vocab_size": 50272,
            "hidden_size": 4096,
            "word_embed_proj_dim": 4096,
            "ffn_dim": 16384,
            "num_hidden_layers": 32,
            "num_attention_heads": 32,
            "max_position_embeddings": 2048,
        },
    ),
    "meta-llama/Llama-2-7b-hf": LargeModel(
        "llama",
        "</s>",
        {
            "vocab_size": 32000,
            "hidden_size": 4096,
            "intermediate_size": 11008,
            "num_hidden_layers": 32,
            "num_attention_heads": 32,
            "num_key_value_heads": 32,
        },
    ),
    "meta-llama/Meta-Llama-3-8B": LargeModel(
        "llama",
        "<|end_of_text|>",
        {
            "vocab_size": 128256,
            "hidden_size": 4096,
            "intermediate_size": 14336,
            "num_hidden_layers": 32,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
        },
    ),
}


# What a teacher is said to be, of whom nothing is known.
UNKNOWN: dict[str, Any] = dict.fromkeys(
    (
        *("model", "revision", "pinned", "architecture", "dtype", "prompt", "max_length", "pad_token", "rank"),
        *("lora_targets", "base_parameters", "lora_parameters"),
    )
)


def describe_teacher(teacher: TeacherConfig, classes: int) -> dict[str, Any]:
    """What `teacher` starts from, what LoRA adapts in it, and both parameter counts for `classes` classes.

    A local base is counted with all of its `vocabulary`; its text may be too short to fill it. What is not known
    without the network (a hub model that is none of LLMS and was never fetched, a GGUF file not yet fetched) is None,
    and of a file of answers all but where it came from.

    Raises:
        UserError: a folder's config.json cannot be read, or LoRA knows no targets for the architecture.
    """
    base, tuning = teacher.base, teacher.finetune
    if isinstance(base, FileBase):
        return UNKNOWN | {"model": base.made_by or base.path, "revision": base.sha256, "pinned": bool(base.sha256)}
    known = LLMS.get(base.model) if isinstance(base, HubBase) else None
    config = _find_config(base)
    found = UNKNOWN | {
        "model": _name_base(base),
        "revision": base.revision if isinstance(base, HubBase) else None,
        "pinned": not isinstance(base, HubBase) or base.revision is not None or locate(base.model).is_dir(),
        "architecture": None if config is None else config.model_type,
        "dtype": "float32" if isinstance(base, LocalBase) else base.dtype,
        "prompt": tuning.prompt,
        "max_length": tuning.max_length,
        "pad_token": known.pad_token if known else None,
        "rank": tuning.rank,
    }
    if config is None:
        return found
    return found | measure_shapes(config, tuning, classes)


def measure_shapes(config: Any, tuning: FinetuneConfig, classes: int) -> dict[str, Any]:
    """Parameters of the bare sequence classifier; those that fine-tuning trains; and what LoRA adapts.

    A pooler that the checkpoint lacks counts to the former alone, as only the weights could tell.

    Args:
        config: transformers' configuration of the base.
        tuning: how it is fine-tuned.
        classes: outputs of the head.
    """
    import torch
    from transformers import AutoModelForSequenceClassification

    from teacher_cache.teacher.base.architectures import find_targets
    from teacher_cache.teacher.classifier import Classifier
    from teacher_cache.teacher.lora import attach_lora

    config.num_labels = classes
    with torch.device("meta"):  # shapes without memory
        model = AutoModelForSequenceClassification.from_config(config)
        facts = {"lora_targets": find_targets(model, tuning.target_modules), "base_parameters": model.num_parameters()}
        adapted = attach_lora(Classifier(model), tuning)
    return facts | {"lora_parameters": adapted.num_parameters(only_trainable=True)}


def _name_base(base: LocalBase | HubBase | GgufBase) -> str:
    if isinstance(base, LocalBase):
        return "trained from scratch"
    return base.model if isinstance(base, HubBase) else Path(base.path).name


def _find_config(base: LocalBase | HubBase | GgufBase) -> Any:
    """The base's configuration as transformers has it, or None where only the network could tell."""
    from transformers import AutoConfig

    if isinstance(base, LocalBase):
        from teacher_cache.teacher.base.local_model import make_config

        return make_config(base, base.vocabulary)
    if isinstance(base, GgufBase):
        if not locate(base.path).is_file():
            return None
        file = find_gguf(base.path)
        read_gguf(file)  # refuses in words what transformers reads without care
        return _read_config(file)
    folder = locate(base.model)
    if not folder.is_dir():
        if base.model in LLMS:
            return AutoConfig.for_model(LLMS[base.model].architecture, **LLMS[base.model].sizes)
        from huggingface_hub import try_to_load_from_cache

        cached = base.revision and try_to_load_from_cache(base.model, "config.json", revision=base.revision)
        if not isinstance(cached, str):
            return None
        folder = Path(cached).parent
    return _read_config(folder)


def _read_config(checkpoint: Path) -> Any:
    from transformers import AutoConfig

    folder, which = split_place(checkpoint)
    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False, **which)
    except (OSError, ValueError, KeyError) as error:
        place = checkpoint if which else folder / "config.json"
        raise UserError(f"{place} must have a model's configuration: {' '.join(str(error).split())}") from None
