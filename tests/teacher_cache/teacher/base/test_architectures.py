"""What LoRA adapts and what is trained whole, by default and where a person says so; and the names in refusals."""

from dataclasses import replace

import pytest
import torch
from transformers import AutoConfig, AutoModelForSequenceClassification

from teacher_cache.errors import UserError
from teacher_cache.teacher.base.architectures import count_positions, find_embeddings, find_targets, list_whole
from teacher_cache.teacher.classifier import Classifier
from teacher_cache.teacher.lora import attach_lora
from teacher_cache.teacher.teacher_config import FinetuneConfig

SIZES = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}


def make_shapes(architecture, **sizes):
    with torch.device("meta"):
        return AutoModelForSequenceClassification.from_config(AutoConfig.for_model(architecture, **SIZES, **sizes))


@pytest.mark.parametrize(
    ("architecture", "targets"),
    [
        ("llama", ["q_proj", "k_proj", "v_proj"]),  # ours
        ("gpt2", ["c_attn"]),  # peft's
        ("distilbert", ["q_lin", "v_lin"]),  # what others call them
        ("mpnet", ["q", "v"]),
    ],
)
def test_targets_are_ours_then_pefts_then_those_of_other_names(architecture, targets):
    assert find_targets(make_shapes(architecture)) == targets


def test_without_a_known_name_all_linear_layers_of_the_backbone_are_adapted():
    model = make_shapes("fnet")  # which has no attention
    targets = find_targets(model)
    assert len(targets) == 2 * 2 + 2  # two of each layer; the embeddings' projection and the pooler
    assert targets == find_targets(model, "all-linear")
    assert not any(name.startswith("classifier") for name in targets)


def adapt(architecture, **changes):
    model = attach_lora(Classifier(make_shapes(architecture)), replace(FinetuneConfig(), **changes))
    names = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    lora = {name.split(".lora_")[0].removeprefix("base_model.model.") for name in names if ".lora_" in name}
    whole = {
        name.split(".modules_to_save")[0].removeprefix("base_model.model.") for name in names if ".lora_" not in name
    }
    return lora, whole


def test_a_persons_targets_and_modules_are_taken():
    lora, whole = adapt(
        "bert", target_modules=("attention.output.dense",), modules_to_save=("pooler.dense", "embeddings.LayerNorm")
    )
    assert lora == {f"bert.encoder.layer.{layer}.attention.output.dense" for layer in range(2)}
    assert whole == {"classifier", "bert.pooler.dense", "bert.embeddings.LayerNorm"}


@pytest.mark.parametrize("architecture", ["bert", "gpt2", "bart"])
def test_all_linear_layers_but_the_head(architecture):
    lora, whole = adapt(architecture, target_modules="all-linear")
    head = {"bert": "classifier", "gpt2": "score", "bart": "classification_head"}[architecture]
    assert whole == {head}
    assert len(lora) >= 8
    assert not any(name.startswith(head) for name in lora)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"target_modules": ("k_porj",)},
            r"target_modules must name linear layers of the base, got k_porj; it has dense, key, query, value$",
        ),
        ({"target_modules": ("ey",)}, "target_modules must name linear layers of the base, got ey"),
        ({"target_modules": ("classifier",)}, "must name linear layers of the base, got classifier"),
        (
            {"modules_to_save": ("poller",)},
            r"modules_to_save must name modules of the base, got poller; it has .*, pooler, ",
        ),
        ({"modules_to_save": ("encoder.layer",)}, "modules_to_save must name modules of the base, got encoder.layer"),
    ],
)
def test_a_name_that_is_not_there_is_refused_with_those_that_are(changes, message):
    with pytest.raises(UserError, match=message):
        adapt("bert", **changes)


def test_what_a_checkpoint_lacks_is_trained_whole():
    missing = {"bert.pooler.dense.weight", "bert.pooler.dense.bias", "classifier.weight", "classifier.bias"}
    assert list_whole(make_shapes("bert"), missing) == ["bert.pooler.dense", "classifier"]
    assert list_whole(make_shapes("bert"), missing, ["pooler"]) == ["bert.pooler", "classifier"]
    assert list_whole(make_shapes("distilbert"), []) == ["classifier", "pre_classifier"]


def test_embeddings_are_found_by_what_they_do():
    assert find_embeddings(make_shapes("distilbert")) == "distilbert.embeddings.word_embeddings"
    assert find_embeddings(make_shapes("gpt2")) == "transformer.wte"
    with pytest.raises(UserError, match=r"train_embeddings must be false for bart, which shares its embeddings among"):
        find_embeddings(make_shapes("bart"))


def test_positions_that_count_from_the_paddings_id_are_fewer():
    """RoBERTa's table of 514 holds 512 tokens: the first position is the padding's id, 1, and one."""
    assert count_positions(make_shapes("roberta", max_position_embeddings=514, pad_token_id=1)) == 512
    assert count_positions(make_shapes("bert", max_position_embeddings=514, pad_token_id=1)) == 514
    assert count_positions(make_shapes("gpt2", n_positions=70)) == 70
    assert count_positions(make_shapes("bloom")) is None
