"""The five LLMs' LoRA sizes, from configurations alone, against Table 3 and a count by hand."""

import pytest

from teacher_cache.errors import UserError
from teacher_cache.teacher.registry import LLMS, count_parameters, embedding_module, lora_targets

# Table 3 of the paper, in millions: LoRA of rank 200 and a head of 4 classes.
TABLE_3 = {"bloomz-1b1": 29.50, "bloomz-3b": 61.46, "opt-6.7b": 104.89, "llama2-7b": 157.32, "llama3-8b": 118.00}

# By hand: layers x rank x (sum of inputs + outputs of the adapted projections) + classes x width.
BY_HAND = {
    "bloomz-1b1": 24 * 200 * (1536 + 3 * 1536) + 4 * 1536,
    "bloomz-3b": 30 * 200 * (2560 + 3 * 2560) + 4 * 2560,
    "opt-6.7b": 32 * 200 * 2 * (4096 + 4096) + 4 * 4096,
    "llama2-7b": 32 * 200 * 3 * (4096 + 4096) + 4 * 4096,
    "llama3-8b": 32 * 200 * ((4096 + 4096) + 2 * (4096 + 1024)) + 4 * 4096,
}

# Published sizes of the checkpoints in billions, less what a classifier lacks (the untied output embedding).
BILLIONS = {
    "bloomz-1b1": 1.065,
    "bloomz-3b": 3.003,
    "opt-6.7b": 6.658,
    "llama2-7b": 6.738 - 32000 * 4096 / 1e9,
    "llama3-8b": 8.030 - 128256 * 4096 / 1e9,
}


@pytest.mark.parametrize("name", LLMS)
def test_table_3(name):
    total, trainable = count_parameters(LLMS[name], rank=200, classes=4)
    assert trainable == BY_HAND[name]
    assert trainable / 1e6 == pytest.approx(TABLE_3[name], rel=1e-3)
    assert total / 1e9 == pytest.approx(BILLIONS[name], rel=1e-3)


def test_unknown_architectures_fall_back_to_peft_and_then_are_refused():
    assert lora_targets("gpt2") == ["c_attn"]
    assert isinstance(lora_targets("gemma4"), str)
    with pytest.raises(UserError, match=r"architecture must be one that LoRA has targets for .* got perceptron"):
        lora_targets("perceptron")


def test_embeddings_of_an_unknown_architecture_cannot_be_trained():
    with pytest.raises(UserError, match="train_embeddings must be false for gpt2"):
        embedding_module("gpt2")
