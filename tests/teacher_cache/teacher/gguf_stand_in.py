"""A tiny llama of random weights in a GGUF file, as llama.cpp's converter would have written it."""

import numpy as np
import torch
from gguf import GGMLQuantizationType, GGUFWriter, TokenType
from gguf.quants import quantize
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from tests.teacher_cache.teacher.conftest import make_stand_in

NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def make_gguf(folder, stored="Q4_1"):
    """`folder`/tiny.gguf, and the checkpoint that its matrices are stored from, in `folder`/source."""
    source = make_stand_in("llama", folder / "source")
    model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(source)
    config, file = model.config, folder / "tiny.gguf"
    writer = GGUFWriter(file, "llama")
    writer.add_name("Tiny")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_dimension_count(config.hidden_size // config.num_attention_heads)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(config.vocab_size)
    add_tokenizer(writer, tokenizer)
    for name, tensor in model.state_dict().items():
        add_tensor(writer, config, name, tensor.numpy(), stored)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def add_tokenizer(writer, tokenizer):
    special = set(tokenizer.all_special_tokens)
    tokens = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().get)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([TokenType.CONTROL if token in special else TokenType.NORMAL for token in tokens])
    writer.add_token_merges([" ".join(pair) for pair in read_merges(tokenizer)])
    writer.add_bos_token_id(tokenizer.bos_token_id)
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_pad_token_id(tokenizer.pad_token_id)
    writer.add_add_bos_token(False)


def read_merges(tokenizer):
    import json

    return json.loads(tokenizer._tokenizer.to_str())["model"]["merges"]


def add_tensor(writer, config, name, values, stored):
    stem, _, end = name.rpartition(".")
    layer, _, part = stem.removeprefix("model.layers.").partition(".")
    place = NAMES[stem] if stem in NAMES else f"blk.{layer}.{NAMES[part]}"
    heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}.get(place.split(".")[-1])
    if heads:  # llama.cpp turns pairs of neighbours, transformers turns halves
        values = values.reshape(heads, 2, -1, values.shape[1]).swapaxes(1, 2).reshape(values.shape)
    if values.ndim == 1 or stored == "F32":
        writer.add_tensor(f"{place}.{end}", np.ascontiguousarray(values))
    else:
        kind = GGMLQuantizationType[stored]
        writer.add_tensor(f"{place}.{end}", quantize(values, kind), raw_dtype=kind)
