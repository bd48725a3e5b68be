"""What is known of architectures and of the paper's five LLMs.

In: an architecture's name or a model id.  Out: LLMS, lora_targets(), embedding_module(), count_parameters().
Imports: torch, transformers and peft only inside count_parameters.
"""

from dataclasses import dataclass
from typing import Any

from teacher_cache.errors import UserError

# Which projections LoRA adapts, by config.model_type. These sets, at rank 200 and with a 4-class head, give the
# sizes of the paper's Table 3 (tests/teacher_cache/teacher/test_registry.py counts them).
LORA_TARGETS = {
    "bloom": ("query_key_value",),
    "opt": ("q_proj", "v_proj"),
    "llama": ("q_proj", "k_proj", "v_proj"),
}
EMBEDDINGS = {"bloom": "word_embeddings", "opt": "embed_tokens", "llama": "embed_tokens"}


@dataclass(frozen=True)
class LargeModel:
    """One LLM of the paper: its hub id, architecture and the sizes that decide its parameter count."""

    model: str
    architecture: str
    dtype: str
    sizes: dict[str, Any]


LLMS = {
    "bloomz-1b1": LargeModel(
        "bigscience/bloomz-1b1",
        "bloom",
        "bfloat16",
        {"vocab_size": 250880, "hidden_size": 1536, "n_layer": 24, "n_head": 16},
    ),
    "bloomz-3b": LargeModel(
        "bigscience/bloomz-3b",
        "bloom",
        "bfloat16",
        {"vocab_size": 250880, "hidden_size": 2560, "n_layer": 30, "n_head": 32},
    ),
    "opt-6.7b": LargeModel(
        "facebook/opt-6.7b",
        "opt",
        "float16",
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
    "llama2-7b": LargeModel(
        "meta-llama/Llama-2-7b-hf",
        "llama",
        "bfloat16",
        {
            "vocab_size": 32000,
            "hidden_size": 4096,
            "intermediate_size": 11008,
            "num_hidden_layers": 32,
            "num_attention_heads": 32,
            "num_key_value_heads": 32,
        },
    ),
    "llama3-8b": LargeModel(
        "meta-llama/Meta-Llama-3-8B",
        "llama",
        "bfloat16",
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


def lora_targets(architecture: str) -> list[str] | str:
    """Names, or peft's pattern, of the modules that LoRA adapts in `architecture`; peft's choice where we have none.

    Raises:
        UserError: neither knows the architecture.
    """
    if architecture in LORA_TARGETS:
        return list(LORA_TARGETS[architecture])
    from peft.utils import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING as PEFT_TARGETS

    if architecture not in PEFT_TARGETS:
        known = ", ".join(sorted({*LORA_TARGETS, *PEFT_TARGETS}))
        raise UserError(f"architecture must be one that LoRA has targets for ({known}), got {architecture}")
    found = PEFT_TARGETS[architecture]
    return found if isinstance(found, str) else list(found)


def embedding_module(architecture: str) -> str:
    """Name of the token embedding's module in `architecture`.

    Raises:
        UserError: only the architectures of LORA_TARGETS can train their embeddings.
    """
    if architecture not in EMBEDDINGS:
        raise UserError(f"train_embeddings must be false for {architecture}; known are {', '.join(EMBEDDINGS)}")
    return EMBEDDINGS[architecture]


def count_parameters(large_model: LargeModel, rank: int, classes: int) -> tuple[int, int]:
    """Parameters of the bare sequence classifier, and those that LoRA trains, without memory for any of them."""
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification

    from teacher_cache.teacher.classifier import attach_lora

    config = AutoConfig.for_model(large_model.architecture, num_labels=classes, **large_model.sizes)
    with torch.device("meta"):
        model = AutoModelForSequenceClassification.from_config(config)
        total = model.num_parameters()
        adapted = attach_lora(model, rank=rank, alpha=1.0, dropout=0.0, train_embeddings=False)
    return total, adapted.num_parameters(only_trainable=True)
