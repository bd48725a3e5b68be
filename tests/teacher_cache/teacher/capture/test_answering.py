"""The loaded teacher is the fine-tuned one: merged like unmerged, head and embeddings included."""

import json
import shutil

import numpy as np
import pyarrow.compute as pc
import pytest
import torch
from safetensors.torch import load_file, save_file

from teacher_cache.errors import UserError
from teacher_cache.teacher.base.checkpoints import make_base
from teacher_cache.teacher.capture.answering import load_teacher
from teacher_cache.teacher.finetune.adapter import finetune
from teacher_cache.teacher.teacher_config import HubBase
from tests.teacher_cache.teacher.conftest import FAST, LABELS, make_examples, make_stand_in

EXAMPLES = make_examples(240)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """A stand-in checkpoint, its base and an adapter, all made the way of a hub model; test_families.py has others."""
    root = tmp_path_factory.mktemp("llama")
    make_stand_in("llama", root / "model")
    for name in ("base", "adapter"):
        (root / name).mkdir()
    make_base(HubBase("hub", str(root / "model"), dtype="float32"), [], 0, root / "base")
    finetune(FAST, root / "base", EXAMPLES, LABELS, 1, root / "work", root / "adapter")
    return root


def texts_of(split):
    return EXAMPLES.filter(pc.equal(EXAMPLES["split"].cast("string"), split))


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
