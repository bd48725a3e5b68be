"""What is known of architectures.

In: an architecture's name.  Out: lora_targets(), embedding_module().  Imports: peft, inside.
"""

from teacher_cache.errors import UserError

# Which projections LoRA adapts, by config.model_type. These sets, at rank 200 and with a 4-class head, give the
# sizes of the paper's Table 3 (tests/teacher_cache/teacher/base/test_llms.py counts them).
LORA_TARGETS = {
    "bloom": ("query_key_value",),
    "opt": ("q_proj", "v_proj"),
    "llama": ("q_proj", "k_proj", "v_proj"),
}
EMBEDDINGS = {"bloom": "word_embeddings", "opt": "embed_tokens", "llama": "embed_tokens"}


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
