"""A base in a GGUF file: read as it was stored, taken the teacher's whole way, refused where it is not whole."""

import json
import shutil

import gguf
import pyarrow.parquet as pq
import pytest
import torch
from transformers import AutoModelForCausalLM

from teacher_cache.errors import UserError
from teacher_cache.reader import open_cache
from teacher_cache.teacher.base.checkpoints import make_base, open_base
from teacher_cache.teacher.base.identity import hash_once
from teacher_cache.teacher.base.llms import describe_teacher
from teacher_cache.teacher.capture.gate import spot_check_cache
from teacher_cache.teacher.capture.job import Capture, capture
from teacher_cache.teacher.classifier import load_classifier
from teacher_cache.teacher.finetune.adapter import finetune
from teacher_cache.teacher.teacher_config import CaptureConfig, FinetuneConfig, GgufBase, TeacherConfig
from teacher_cache.teacher.tokenization import load_tokenizer
from tests.teacher_cache.teacher.conftest import LABELS, make_examples
from tests.teacher_cache.teacher.gguf_stand_in import make_gguf


def describe_base(file, dtype="float32", **changes):
    return GgufBase(**{"kind": "gguf", "path": str(file), "sha256": hash_once(file), "dtype": dtype} | changes)


def make(config, folder):
    folder.mkdir()
    make_base(config, [], 0, folder)
    return folder


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return make_gguf(tmp_path_factory.mktemp("gguf"))


@pytest.mark.parametrize("stored", ["F32", "Q8_0", "Q4_1"])
def test_the_weights_are_those_that_were_stored(stored, tmp_path):
    """The reference is the source checkpoint, its matrices rounded by the format's own package."""
    file = make_gguf(tmp_path, stored)
    source = AutoModelForCausalLM.from_pretrained(tmp_path / "source", dtype=torch.float32)
    kind = gguf.GGMLQuantizationType[stored]
    for parameter in source.parameters():
        if parameter.ndim > 1 and stored != "F32":
            stored_values = gguf.quants.quantize(parameter.detach().numpy(), kind)
            parameter.data = torch.from_numpy(gguf.quants.dequantize(stored_values, kind))
    loaded = load_classifier(file, load_tokenizer(file), LABELS, "float32", 64)
    assert loaded.missing == {"score.weight"}
    assert not getattr(loaded.model, "is_quantized", False)  # else peft would not merge into it
    assert not hasattr(loaded.model.config, "quantization_config")
    tokens = torch.arange(3, 60)[None]
    with torch.inference_mode():
        states, expected = (one(tokens).last_hidden_state for one in (loaded.model.model, source.model))
    torch.testing.assert_close(states, expected, atol=1e-5, rtol=1e-5)


def test_the_tokenizer_is_the_files(file):
    ours, theirs = load_tokenizer(file), load_tokenizer(file.parent / "source")
    text = " the old otter, seen near a hammer under fog"
    assert ours(text)["input_ids"] == theirs(text)["input_ids"][1:-1]  # llama.cpp was told to put nothing around it
    assert (ours.pad_token, ours.eos_token) == ("<pad>", "</s>")


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_from_file_to_cache(file, dtype, tmp_path):
    """Fine-tuned, captured, let through by the gate, and computed again: in the dtype that the params say."""
    base = make(describe_base(file, dtype), tmp_path / "base")
    assert [path.name for path in base.iterdir()] == ["identity.json"]
    examples, config = make_examples(60), FinetuneConfig(rank=4, alpha=8, epochs=2, learning_rate=1e-2, max_length=32)
    pq.write_table(examples, tmp_path / "examples.parquet")
    (tmp_path / "adapter").mkdir()
    finetune(config, base, examples, LABELS, 1, tmp_path / "work", tmp_path / "adapter")
    asked = CaptureConfig(rows_per_part=32, dtype=dtype, hidden_layers=(0, 3))
    request = Capture("kinds", "tiny", tmp_path / "examples.parquet", base, tmp_path / "adapter", asked)
    capture(request, tmp_path / "staging", tmp_path / "cache")

    identity = open_cache(tmp_path / "cache", {}).manifest.identity
    assert identity["merged"]
    assert identity["dtype"] == dtype
    assert identity["base"] == json.loads((base / "identity.json").read_text())
    assert (identity["base"]["weights"], identity["base"]["dtype"]) == ("Q4_1, dequantised", dtype)
    assert identity["base"]["weights_sha256"] == hash_once(file)
    assert spot_check_cache(tmp_path / "cache", examples, base, tmp_path / "adapter", 20)["rows"] >= 20


def test_a_file_that_is_gone_or_changed(file, tmp_path):
    moved = tmp_path / "moved.gguf"
    shutil.copy(file, moved)
    base = make(describe_base(moved), tmp_path / "base")
    assert open_base(base)[0] == moved
    with moved.open("r+b") as stream:
        stream.seek(-1, 2)
        stream.write(b"\x7f")
    with pytest.raises(
        UserError, match=r"weights_sha256 must be .*, as when stage base ran, got .*; run stage base again"
    ):
        open_base(base)
    moved.unlink()
    with pytest.raises(UserError, match=r"base.path must be a GGUF file that exists, got .*moved.gguf; `qdllm fetch"):
        open_base(base)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda whole: whole[:5000], "must be a GGUF file, whole and with general.architecture: .*; fetch it again"),
        (lambda whole: b"GGML" + whole[4:], "must be a GGUF file, whole and with general.architecture: .*magic"),
        (lambda whole: whole.replace(b"llama", b"lllma"), "cannot be loaded as a classifier: .*lllma"),
    ],
)
def test_what_is_no_whole_file_is_refused(content, message, file, tmp_path):
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(content(file.read_bytes()))
    with pytest.raises(UserError, match=message) as caught:
        make(describe_base(broken), tmp_path / "base")
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match=r"broken.gguf must (be a GGUF file|have a model's configuration)") as told:
        describe_teacher(TeacherConfig(describe_base(broken)), classes=3)
    assert "\n" not in str(told.value)


def test_another_files_sha256_is_refused(file, tmp_path):
    with pytest.raises(UserError, match=rf"base.sha256 must be the file's, {hash_once(file)}, got 0000"):
        make(describe_base(file, sha256="0" * 64), tmp_path / "base")
    assert not list((tmp_path / "base").iterdir())


def test_it_is_counted_as_it_will_load(file):
    found = describe_teacher(TeacherConfig(describe_base(file)), classes=3)
    loaded = load_classifier(file, load_tokenizer(file), LABELS, "float32", 64)
    assert found["base_parameters"] == loaded.model.num_parameters()
    assert (found["model"], found["pinned"], found["architecture"]) == ("tiny.gguf", True, "llama")
    missing = describe_teacher(TeacherConfig(describe_base(file, path="nowhere/tiny.gguf")), classes=3)
    assert (missing["architecture"], missing["base_parameters"]) == (None, None)
