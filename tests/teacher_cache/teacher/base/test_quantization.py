"""A base in 8 and in 4 bits goes through fine-tuning, capture and its gate; what cannot be is refused.

Needs bitsandbytes, which the extra `dev` brings; it computes on a CPU, too.
"""

import json
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
import torch

from teacher_cache.errors import UserError
from teacher_cache.publish import publish_folder
from teacher_cache.reader import open_cache
from teacher_cache.teacher.base import quantization
from teacher_cache.teacher.base.checkpoints import make_base
from teacher_cache.teacher.batches import pad_batch
from teacher_cache.teacher.capture.answering import load_teacher
from teacher_cache.teacher.capture.gate import spot_check_cache
from teacher_cache.teacher.capture.job import Capture, capture
from teacher_cache.teacher.classifier import load_classifier
from teacher_cache.teacher.finetune.adapter import finetune
from teacher_cache.teacher.lora import attach_lora
from teacher_cache.teacher.sharding import shard_model
from teacher_cache.teacher.teacher_config import CaptureConfig, FinetuneConfig, HubBase
from teacher_cache.teacher.tokenization import load_tokenizer
from tests.teacher_cache.teacher.conftest import FAST, LABELS, make_examples, make_stand_in
from tests.teacher_cache.teacher.families import FAMILIES, make_checkpoint


@pytest.mark.parametrize(("architecture", "bits"), [("bert", "8bit"), ("opt", "4bit"), ("llama", "8bit")])
def test_a_base_in_fewer_bits_goes_the_whole_way(architecture, bits, tmp_path, monkeypatch):
    # So that every CPU is put to the test that those with AVX-512-BF16 are.
    monkeypatch.setattr("bitsandbytes.nn.modules.has_avx512bf16", lambda: True)
    examples = make_examples(60)
    pq.write_table(examples, tmp_path / "examples.parquet")
    model = make_checkpoint(architecture, tmp_path / "model")
    base, adapter = tmp_path / "base", tmp_path / "adapter"
    with publish_folder(base) as folder:
        make_base(HubBase("hub", str(model), dtype="bfloat16", quantization=bits), [], 0, folder)
    with publish_folder(adapter) as folder:
        finetune(
            replace(FAST, epochs=1, train_embeddings=False), base, examples, LABELS, 1, tmp_path / "tuning", folder
        )
    config = CaptureConfig(rows_per_part=40, dtype="bfloat16", hidden_layers=(1,))
    manifest = capture(
        Capture("topics", "sage", tmp_path / "examples.parquet", base, adapter, config),
        tmp_path / "work",
        tmp_path / "cache",
    )
    assert manifest.identity["merged"] is False
    assert manifest.identity["base"]["quantization"] == bits
    assert open_cache(tmp_path / "cache", {}).read().hidden.shape == (60, 32)
    assert spot_check_cache(tmp_path / "cache", examples, base, adapter, 8)["rows"] >= 8
    teacher = load_teacher(base, adapter, "bfloat16")
    held = {type(module).__name__ for module in teacher.model.modules()}
    whole = {name for name, part in teacher.model.base_model.model.named_modules() if hasattr(part, "original_module")}
    assert whole == FAMILIES[architecture][3]  # BERT's pooler, too, which is trained
    assert ("Linear8bitLt" if bits == "8bit" else "Linear4bit") in held
    record = json.loads((adapter / "finetune.json").read_text())
    assert manifest.quality["validation"]["nll"] == pytest.approx(record["metrics"]["validation"]["nll"], abs=0.02)


@pytest.mark.parametrize("newest_cpu", [False, True])
def test_training_in_4_bits_does_not_hang_on_the_kind_of_cpu(newest_cpu, tmp_path, monkeypatch):
    """Two epochs, with a validation between them: bitsandbytes must not take the matrices' gradient away after it."""
    monkeypatch.setattr("bitsandbytes.nn.modules.has_avx512bf16", lambda: newest_cpu)
    folder = make_stand_in("llama", tmp_path, width=64)
    tokenizer = load_tokenizer(folder)
    model = attach_lora(
        load_classifier(folder, tokenizer, LABELS, "float32", 64, "4bit"),
        FinetuneConfig(rank=4, alpha=8.0, dropout=0.0),
    )
    batch = pad_batch([[0, 9, 8, 1], [0, 7, 1]], 2)
    with torch.no_grad():
        validated = model.eval()(**batch).logits
    trained = model.train()(**batch).logits
    torch.testing.assert_close(trained, validated, atol=1e-5, rtol=1e-5)
    trained.square().sum().backward()
    lora = [parameter for name, parameter in model.named_parameters() if "lora_B" in name]
    assert len(lora) == 9
    assert all(parameter.grad.abs().max() > 0 for parameter in lora)


def test_sharded_and_quantized_is_refused(tmp_path):
    folder = make_stand_in("llama", tmp_path)
    model = load_classifier(folder, load_tokenizer(folder), LABELS, "bfloat16", 64, "4bit").model
    with pytest.raises(UserError, match=r"QDLLM_SHARD must be 0 for a base with base.quantization"):
        shard_model(model, torch.device("cpu"))


def test_without_bitsandbytes_the_install_line_is_given(tmp_path, monkeypatch):
    monkeypatch.setattr(quantization, "find_spec", lambda name: None)
    folder = make_stand_in("llama", tmp_path)
    with pytest.raises(UserError, match=r"base.quantization 8bit needs bitsandbytes: pip install 'qdllm\[quantize\]'"):
        load_classifier(folder, load_tokenizer(folder), LABELS, "bfloat16", 64, "8bit")
