"""Bases: the same bytes from the same seed, identities that hold, and refusals."""

import json
import shutil

import pytest
from pydantic import ValidationError

from teacher_cache.errors import UserError
from teacher_cache.teacher.base.checkpoints import make_base, open_base
from teacher_cache.teacher.teacher_config import HubBase, LocalBase
from tests.teacher_cache.teacher.conftest import LABELS, TINY, make_stand_in, make_texts

TEXTS = make_texts(60)[0]


def read_all(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("architecture", ["bloom", "opt", "llama"])
def test_local_base_is_a_function_of_its_inputs(architecture, local_bases, tmp_path):
    make_base(LocalBase("local", architecture, **TINY), TEXTS, 3, tmp_path)
    assert read_all(tmp_path) == read_all(local_bases[architecture])
    _, identity = open_base(tmp_path)
    assert identity["kind"] == "local"
    assert identity["architecture"] == architecture


def test_another_seed_is_another_model_with_the_same_tokenizer(local_bases, tmp_path):
    make_base(LocalBase("local", "llama", **TINY), TEXTS, 4, tmp_path)
    one, other = (open_base(folder)[1] for folder in (local_bases["llama"], tmp_path))
    assert one["weights_sha256"] != other["weights_sha256"]
    assert one["tokenizer_sha256"] == other["tokenizer_sha256"]


def test_parameters_by_hand(local_bases):
    """LLaMA 32 wide: per layer 4 x 32 x 32 attention, 3 x 32 x 85 gated, 2 norms; two embeddings, one norm."""
    checkpoint, identity = open_base(local_bases["llama"])
    vocabulary = json.loads((checkpoint / "config.json").read_text())["vocab_size"]
    assert identity["parameters"] == 2 * (4 * 32 * 32 + 3 * 32 * 85 + 2 * 32) + 2 * vocabulary * 32 + 32


@pytest.mark.parametrize("architecture", ["bloom", "opt", "llama"])
def test_training_lowers_the_next_token_loss(architecture, tmp_path):
    """With no epoch the loss is that of a uniform guess, ln(vocabulary); with ten it is far below."""
    import torch
    from transformers import AutoModelForCausalLM

    from teacher_cache.teacher.tokenization import load_tokenizer, tokenize

    losses = []
    for epochs in (0, 10):
        folder = tmp_path / str(epochs)
        folder.mkdir()
        make_base(LocalBase("local", architecture, **{**TINY, "epochs": epochs}, learning_rate=1e-2), TEXTS, 3, folder)
        model = AutoModelForCausalLM.from_pretrained(folder).eval()
        rows = [torch.tensor([row]) for row in tokenize(load_tokenizer(folder), TEXTS[:9], 64)]
        with torch.inference_mode():
            losses.append(torch.stack([model(row, labels=row).loss for row in rows]).mean().item())
    assert losses[0] == pytest.approx(torch.tensor(float(model.config.vocab_size)).log().item(), abs=0.3)
    assert losses[1] < 0.6 * losses[0]


def test_stand_in_checkpoint_goes_the_hubs_way(tmp_path):
    model = make_stand_in("bloom", tmp_path / "model")
    assert len(list(model.glob("*.safetensors"))) > 1
    (tmp_path / "base").mkdir()
    make_base(HubBase("hub", str(model), dtype="float32"), [], 0, tmp_path / "base")
    assert [path.name for path in (tmp_path / "base").iterdir()] == ["identity.json"]
    checkpoint, identity = open_base(tmp_path / "base")
    assert checkpoint == model
    assert (identity["kind"], identity["architecture"]) == ("hub", "bloom")

    (model / "config.json").write_text((model / "config.json").read_text() + "\n")
    with pytest.raises(UserError, match=r"weights_sha256 must be .* as when stage base ran"):
        open_base(tmp_path / "base")
    shutil.rmtree(model)
    with pytest.raises(UserError, match=r"base.model must be a folder that exists, or a hub id with base.revision"):
        open_base(tmp_path / "base")


def test_a_hub_id_must_be_pinned(tmp_path):
    with pytest.raises(UserError, match=r"a hub id with base.revision \(40 hex digits\), got bigscience/bloomz-1b1"):
        make_base(HubBase("hub", "bigscience/bloomz-1b1"), [], 0, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("revision", ["main", "a" * 39, "A" * 40])
def test_a_revision_is_40_hex_digits(revision):
    with pytest.raises(ValidationError, match="pattern"):
        HubBase("hub", "bigscience/bloomz-1b1", revision)


@pytest.mark.parametrize(
    ("changes", "texts", "message"),
    [
        ({}, [], "at least one training text"),
        ({"width": 30}, TEXTS, r"base.width must be an even multiple of base.heads, got 30 and 4"),
        ({"learning_rate": 1e30, "epochs": 3}, TEXTS, "loss became nan .* lower base.learning_rate"),
    ],
)
def test_refusals(changes, texts, message, tmp_path):
    with pytest.raises(UserError, match=message):
        make_base(LocalBase("local", "llama", **{**TINY, **changes}), texts, 0, tmp_path)


@pytest.mark.parametrize(("content", "message"), [(None, "must exist; run stage base"), ("{", "must be JSON")])
def test_a_folder_that_is_no_base_is_refused(content, message, tmp_path):
    if content:
        (tmp_path / "identity.json").write_text(content)
    with pytest.raises(UserError, match=message):
        open_base(tmp_path)


def test_a_local_base_learns_the_answers_to_its_instructions(tmp_path):
    """Asked for the class's name behind a text that it has not read, it gives the right one; without, it cannot."""
    import torch
    from transformers import AutoModelForCausalLM

    from teacher_cache.teacher.tokenization import load_tokenizer, tokenize

    texts, labels = make_texts(660)
    asked = [(text, LABELS[label]) for text, label in zip(texts[60:], labels[60:], strict=True)]
    right = []
    for name, instructions in (("plain", []), ("instructed", asked)):
        folder = tmp_path / name
        folder.mkdir()
        make_base(
            LocalBase("local", "llama", **{**TINY, "epochs": 6}, learning_rate=3e-3), TEXTS, 3, folder, instructions
        )
        assert open_base(folder)[1].get("instructed", 0) == len(instructions)
        tokenizer, model = load_tokenizer(folder), AutoModelForCausalLM.from_pretrained(folder).eval()
        names = [3 + sorted(LABELS).index(label) for label in LABELS]
        with torch.inference_mode():
            ends = [model(torch.tensor([row])).logits[0, -1, names] for row in tokenize(tokenizer, TEXTS, 64)]
        right.append(sum(int(end.argmax()) == label for end, label in zip(ends, labels[:60], strict=True)) / 60)
    assert right[0] < 0.6 < 0.9 < right[1]
