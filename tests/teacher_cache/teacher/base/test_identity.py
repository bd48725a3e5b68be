"""A checkpoint is known by its content, and what could run code is refused."""

import hashlib
import json
import os
import time

import pytest
import torch
from safetensors.torch import save_file

from teacher_cache.errors import UserError
from teacher_cache.teacher.base.identity import describe_checkpoint


@pytest.fixture
def folder(tmp_path):
    save_file({"a": torch.zeros(2, 3), "b": torch.zeros(5)}, tmp_path / "model-00001-of-00002.safetensors")
    save_file({"c": torch.zeros(7, 1)}, tmp_path / "model-00002-of-00002.safetensors")
    shards = {"a": "model-00001-of-00002.safetensors", "c": "model-00002-of-00002.safetensors"}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama", "num_layers": 1}))
    (tmp_path / "tokenizer.json").write_text("{}")
    return tmp_path


def test_fields(folder):
    """2 x 3 + 5 + 7 x 1 = 18 parameters in two shards."""
    found = describe_checkpoint(folder)
    assert found["architecture"] == "llama"
    assert found["parameters"] == 18
    assert found == describe_checkpoint(folder)


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("model-00002-of-00002.safetensors", "weights_sha256"),
        ("config.json", "weights_sha256"),
        ("model.safetensors.index.json", "weights_sha256"),
        ("tokenizer.json", "tokenizer_sha256"),
    ],
)
def test_one_changed_byte_changes_one_hash(folder, name, field):
    before = describe_checkpoint(folder)
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content + b" " if content.endswith(b"}") else content[:-1] + b"\x01")
    after = describe_checkpoint(folder)
    assert {key for key in before if before[key] != after[key]} == {field}


def test_a_file_is_read_once_until_it_is_written_to(folder, monkeypatch):
    """A forged time stamp helps nobody: the file system keeps one that no program can set."""
    read = []
    digest = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda stream, name: read.append(stream.name) or digest(stream, name))
    time.sleep(0.2)
    before = describe_checkpoint(folder)
    assert len(read) == 5
    assert describe_checkpoint(folder) == before
    assert len(read) == 5

    changed = folder / "model-00002-of-00002.safetensors"
    stamp = changed.stat().st_mtime_ns
    with changed.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x01")
    os.utime(changed, ns=(stamp, stamp))
    assert describe_checkpoint(folder)["weights_sha256"] != before["weights_sha256"]
    assert read[5:] == [str(changed)]


def test_a_file_that_is_not_the_models_changes_nothing(folder):
    before = describe_checkpoint(folder)
    (folder / "README.md").write_text("a model")
    assert describe_checkpoint(folder) == before


def test_pickled_weights_alone_are_refused(folder):
    for path in folder.glob("*.safetensors"):
        path.unlink()
    (folder / "pytorch_model.bin").write_bytes(b"never read")
    with pytest.raises(UserError, match=r"weights must be safetensors .* got pytorch_model.bin"):
        describe_checkpoint(folder)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", None, "config.json must exist"),
        ("config.json", "{}", "config.json must be JSON with a model_type"),
        ("config.json", "nonsense", "config.json must be JSON with a model_type"),
        ("tokenizer.json", None, "got no tokenizer"),
        ("model-00001-of-00002.safetensors", "cut off", "must be a safetensors file"),
        (
            "model-00002-of-00002.safetensors",
            None,
            "model-00002-of-00002.safetensors must exist, as model.safetensors.ind",
        ),
    ],
)
def test_an_incomplete_checkpoint_is_refused(folder, name, content, message):
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_text(content)
    with pytest.raises(UserError, match=message):
        describe_checkpoint(folder)
