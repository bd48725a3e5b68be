"""A tiny checkpoint of each family of models that people bring: what its language model or pretraining leaves.

In: a family's name.  Out: FAMILIES, make_checkpoint().  Imports: torch, transformers.
"""

from functools import cache
from pathlib import Path

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForPreTraining,
    AutoModelForSeq2SeqLM,
)

from teacher_cache.teacher.base.local_model import train_tokenizer
from tests.teacher_cache.teacher.conftest import make_texts

POSITIONS = 64
# Large enough that random layers tell texts apart.
DEVIATION = 0.1
BART = {"encoder_layers": 2, "decoder_layers": 2, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64}
BART |= {"d_model": 32, "encoder_attention_heads": 2, "decoder_attention_heads": 2, "init_std": DEVIATION}
GROUPED = {"num_key_value_heads": 1, "head_dim": 16}
# By config.model_type: what was pretrained, sizes of its own, what LoRA adapts, what is trained whole.
FAMILIES = {
    "albert": (AutoModelForMaskedLM, {"embedding_size": 16}, {"query", "value"}, {"albert.pooler", "classifier"}),
    "bart": (AutoModelForSeq2SeqLM, BART, {"q_proj", "v_proj"}, {"classification_head"}),
    "bert": (AutoModelForMaskedLM, {}, {"query", "value"}, {"bert.pooler.dense", "classifier"}),
    "bloom": (AutoModelForCausalLM, {}, {"query_key_value"}, {"score"}),
    "deberta": (AutoModelForMaskedLM, {}, {"in_proj"}, {"pooler", "classifier"}),
    "deberta-v2": (AutoModelForMaskedLM, {}, {"query_proj", "value_proj"}, {"pooler", "classifier"}),
    "distilbert": (AutoModelForMaskedLM, {"hidden_dim": 64}, {"q_lin", "v_lin"}, {"pre_classifier", "classifier"}),
    "electra": (AutoModelForPreTraining, {"embedding_size": 16}, {"query", "value"}, {"classifier"}),
    "gemma": (AutoModelForCausalLM, GROUPED, {"q_proj", "v_proj"}, {"score"}),
    "gemma2": (AutoModelForCausalLM, GROUPED, {"q_proj", "v_proj"}, {"score"}),
    "gemma3_text": (AutoModelForCausalLM, GROUPED, {"q_proj", "v_proj"}, {"score"}),
    "gpt2": (AutoModelForCausalLM, {}, {"c_attn"}, {"score"}),
    "gpt_neox": (AutoModelForCausalLM, {}, {"query_key_value"}, {"score"}),
    "llama": (AutoModelForCausalLM, GROUPED, {"q_proj", "k_proj", "v_proj"}, {"score"}),
    "mistral": (AutoModelForCausalLM, GROUPED, {"q_proj", "v_proj"}, {"score"}),
    "modernbert": (AutoModelForMaskedLM, {"global_attn_every_n_layers": 2}, {"Wqkv"}, {"head", "classifier"}),
    "opt": (
        AutoModelForCausalLM,
        {"ffn_dim": 64, "word_embed_proj_dim": 16, "init_std": DEVIATION},
        {"q_proj", "v_proj"},
        {"score"},
    ),
    "phi": (AutoModelForCausalLM, {}, {"q_proj", "v_proj", "fc1", "fc2"}, {"score"}),
    "phi3": (AutoModelForCausalLM, {}, {"qkv_proj"}, {"score"}),
    "qwen2": (AutoModelForCausalLM, GROUPED, {"q_proj", "v_proj"}, {"score"}),
    "qwen3": (AutoModelForCausalLM, GROUPED, {"q_proj", "v_proj"}, {"score"}),
    "roberta": (AutoModelForMaskedLM, {"max_position_embeddings": POSITIONS + 3}, {"query", "value"}, {"classifier"}),
}


@cache
def tokenizer():
    """A byte-level tokenizer, the same for all: <s> is 0, </s> 1, <pad> 2."""
    return train_tokenizer(make_texts(90)[0], 400)


def make_checkpoint(family: str, folder: Path, kind=None, **sizes) -> Path:
    """Random weights of two layers, 32 wide, for 64 tokens; `kind` is another class than the family's pretraining."""
    pretrained, own, *_ = FAMILIES[family]
    shared = {"vocab_size": len(tokenizer()), "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    shared |= {"intermediate_size": 64, "max_position_embeddings": POSITIONS, "initializer_range": DEVIATION}
    shared |= {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2}
    torch.manual_seed(5)
    model = (kind or pretrained).from_config(AutoConfig.for_model(family, **{**shared, **own, **sizes}))
    model.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder
