"""The five LLMs' sizes, from configurations alone, against Table 3 and a count by hand; and what others are."""

import json

import pytest
from huggingface_hub import constants

from teacher_cache.errors import UserError
from teacher_cache.teacher.base.checkpoints import make_base
from teacher_cache.teacher.base.llms import LLMS, describe_teacher
from teacher_cache.teacher.classifier import load_classifier
from teacher_cache.teacher.lora import attach_lora
from teacher_cache.teacher.teacher_config import FinetuneConfig, HubBase, LocalBase, TeacherConfig
from teacher_cache.teacher.tokenization import load_tokenizer
from tests.teacher_cache.teacher.conftest import LABELS, TINY, make_stand_in, make_texts

# Table 3 of the paper, in millions: LoRA of rank 200 and a head of 4 classes.
TABLE_3 = {
    "bigscience/bloomz-1b1": 29.50,
    "bigscience/bloomz-3b": 61.46,
    "facebook/opt-6.7b": 104.89,
    "meta-llama/Llama-2-7b-hf": 157.32,
    "meta-llama/Meta-Llama-3-8B": 118.00,
}

# By hand: layers x rank x (sum of inputs + outputs of the adapted projections) + classes x width.
BY_HAND = {
    "bigscience/bloomz-1b1": 24 * 200 * (1536 + 3 * 1536) + 4 * 1536,
    "bigscience/bloomz-3b": 30 * 200 * (2560 + 3 * 2560) + 4 * 2560,
    "facebook/opt-6.7b": 32 * 200 * 2 * (4096 + 4096) + 4 * 4096,
    "meta-llama/Llama-2-7b-hf": 32 * 200 * 3 * (4096 + 4096) + 4 * 4096,
    "meta-llama/Meta-Llama-3-8B": 32 * 200 * ((4096 + 4096) + 2 * (4096 + 1024)) + 4 * 4096,
}

# Published sizes of the checkpoints in billions, less what a classifier lacks (the untied output embedding).
BILLIONS = {
    "bigscience/bloomz-1b1": 1.065,
    "bigscience/bloomz-3b": 3.003,
    "facebook/opt-6.7b": 6.658,
    "meta-llama/Llama-2-7b-hf": 6.738 - 32000 * 4096 / 1e9,
    "meta-llama/Meta-Llama-3-8B": 8.030 - 128256 * 4096 / 1e9,
}


@pytest.mark.parametrize("model", LLMS)
def test_table_3(model, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    found = describe_teacher(TeacherConfig(HubBase("hub", model), FinetuneConfig(rank=200)), classes=4)
    assert found["lora_parameters"] == BY_HAND[model]
    assert found["lora_parameters"] / 1e6 == pytest.approx(TABLE_3[model], rel=1e-3)
    assert found["base_parameters"] / 1e9 == pytest.approx(BILLIONS[model], rel=1e-3)
    assert not found["pinned"]


@pytest.mark.parametrize("architecture", ["bloom", "opt", "llama"])
def test_a_folder_is_counted_as_it_will_load(architecture, tmp_path):
    folder = make_stand_in(architecture, tmp_path)
    tuning = FinetuneConfig(rank=3, train_embeddings=True)
    found = describe_teacher(TeacherConfig(HubBase("hub", str(folder)), tuning), classes=3)
    classifier = load_classifier(folder, load_tokenizer(folder), LABELS, "float32", 64)
    assert found["base_parameters"] == classifier.model.num_parameters()
    adapted = attach_lora(classifier, tuning)
    assert found["lora_parameters"] == adapted.num_parameters(only_trainable=True)
    assert (found["pinned"], found["architecture"]) == (True, architecture)
    (folder / "config.json").write_text("{")
    with pytest.raises(UserError, match=r"config.json must have a model's configuration"):
        describe_teacher(TeacherConfig(HubBase("hub", str(folder)), tuning), classes=3)


def test_a_local_base_is_counted_without_training_it(tmp_path):
    """Its vocabulary is a bound: here the text fills it, so the count is what training makes."""
    base = LocalBase("local", "opt", **TINY | {"vocabulary": 300})
    make_base(base, make_texts(60)[0], 3, tmp_path)
    made = load_classifier(tmp_path, load_tokenizer(tmp_path), ["no", "yes"], "float32", 64).model
    assert json.loads((tmp_path / "config.json").read_text())["vocab_size"] == 300
    assert describe_teacher(TeacherConfig(base), classes=2)["base_parameters"] == made.num_parameters()


def test_a_hub_model_that_was_never_fetched_is_not_guessed(monkeypatch, tmp_path):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    found = describe_teacher(TeacherConfig(HubBase("hub", "someone/model", "a" * 40)), classes=2)
    assert (found["architecture"], found["base_parameters"], found["pinned"]) == (None, None, True)
