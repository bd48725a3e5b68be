"""The loaded teacher is the fine-tuned one: merged like unmerged, head and embeddings included."""

import json
import shutil

import numpy as np
import pyarrow.compute as pc
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file

from teacher_cache.errors import UserError
from teacher_cache.teacher.base.checkpoints import make_base
from teacher_cache.teacher.batches import pad_batch
from teacher_cache.teacher.capture.answering import load_teacher
from teacher_cache.teacher.classifier import load_classifier
from teacher_cache.teacher.finetune.adapter import finetune
from teacher_cache.teacher.teacher_config import HubBase
from teacher_cache.teacher.tokenization import load_tokenizer
from tests.teacher_cache.teacher.conftest import FAST, LABELS, make_examples, make_stand_in

EXAMPLES = make_examples(240)


@pytest.fixture(scope="module", params=["bloom", "opt", "llama"])
def tuned(request, tmp_path_factory):
    """A stand-in checkpoint, its base and an adapter, all made the way of a hub model."""
    root = tmp_path_factory.mktemp(request.param)
    make_stand_in(request.param, root / "model")
    for name in ("base", "adapter"):
        (root / name).mkdir()
    make_base(HubBase("hub", str(root / "model"), dtype="float32"), [], 0, root / "base")
    finetune(FAST, root / "base", EXAMPLES, LABELS, 1, root / "work", root / "adapter")
    return root


def texts_of(split):
    return EXAMPLES.filter(pc.equal(EXAMPLES["split"].cast("string"), split))


def test_merged_equals_unmerged(tuned):
    """The base with peft's separate matrices is the reference; merging may cost rounding only."""
    teacher = load_teacher(tuned / "base", tuned / "adapter", "float32")
    tokens = teacher.tokenize(texts_of("test")["text"].to_pylist())
    tokenizer = load_tokenizer(tuned / "model")
    plain = load_classifier(tuned / "model", tokenizer, len(LABELS), "float32", 64)
    with pytest.warns(FutureWarning, match="is_gradient_checkpointing"):  # peft 0.21 on transformers 5
        unmerged = PeftModel.from_pretrained(plain, tuned / "adapter").eval()
    with torch.inference_mode():
        expected = unmerged(**pad_batch(tokens, tokenizer.pad_token_id)).logits.numpy()
    found = teacher.logits(tokens)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert not any("lora" in name for name, _ in teacher.model.named_parameters())


def test_reloaded_it_scores_what_fine_tuning_saw(tuned):
    """An adapter without its head would fall back to a random one and to the loss of a guess."""
    teacher = load_teacher(tuned / "base", tuned / "adapter", "float32")
    rows = texts_of("validation")
    logits = torch.from_numpy(teacher.logits(teacher.tokenize(rows["text"].to_pylist())))
    classes = torch.from_numpy(rows["label"].to_numpy().astype(np.int64))
    record = json.loads((tuned / "adapter" / "finetune.json").read_text())["metrics"]["validation"]
    loss = torch.nn.functional.cross_entropy(logits, classes).item()
    assert loss == pytest.approx(record["nll"], abs=1e-5)
    assert (logits.argmax(1) == classes).float().mean().item() == pytest.approx(record["accuracy"])
    assert loss < 0.7 * np.log(len(LABELS))


def test_lower_precision_gives_nearby_float32_logits(tuned):
    single, half = (load_teacher(tuned / "base", tuned / "adapter", dtype) for dtype in ("float32", "bfloat16"))
    tokens = single.tokenize(texts_of("test")["text"].to_pylist())
    found = half.logits(tokens)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, single.logits(tokens), atol=0.2)


@pytest.mark.parametrize("part", ["score", "embed", "lora_A"])
def test_an_adapter_that_lacks_a_part_is_refused(tuned, part, tmp_path):
    adapter = shutil.copytree(tuned / "adapter", tmp_path / "adapter")
    tensors = load_file(adapter / "adapter_model.safetensors")
    save_file(
        {name: tensor for name, tensor in tensors.items() if part not in name}, adapter / "adapter_model.safetensors"
    )
    with pytest.raises(UserError, match=rf"adapter must hold what its config says, got a difference in .*{part}"):
        load_teacher(tuned / "base", adapter, "float32")


def test_refusals(tuned, tmp_path):
    with pytest.raises(UserError, match=r"finetune.json must exist; run stage finetune"):
        load_teacher(tuned / "base", tmp_path, "float32")
    adapter = shutil.copytree(tuned / "adapter", tmp_path / "adapter")
    (adapter / "adapter_model.safetensors").write_bytes(b"cut off")
    with pytest.raises(UserError, match=r"adapter_model.safetensors must be a safetensors file"):
        load_teacher(tuned / "base", adapter, "float32")
    record = json.loads((adapter / "finetune.json").read_text())
    record["base"]["weights_sha256"] = "0" * 64
    (adapter / "finetune.json").write_text(json.dumps(record))
    with pytest.raises(UserError, match="must be fine-tuned from the base in"):
        load_teacher(tuned / "base", adapter, "float32")
