"""What is known of an architecture, and what is said of one that is not known."""

import pytest

from teacher_cache.errors import UserError
from teacher_cache.teacher.base.architectures import embedding_module, lora_targets


def test_unknown_architectures_fall_back_to_peft_and_then_are_refused():
    assert lora_targets("gpt2") == ["c_attn"]
    assert isinstance(lora_targets("gemma4"), str)
    with pytest.raises(UserError, match=r"architecture must be one that LoRA has targets for .* got perceptron"):
        lora_targets("perceptron")


def test_embeddings_of_an_unknown_architecture_cannot_be_trained():
    with pytest.raises(UserError, match="train_embeddings must be false for gpt2"):
        embedding_module("gpt2")
