"""A head that a checkpoint brings is taken over by its classes' names, and made anew where it is for others."""

import pytest
import torch
from transformers import AutoConfig, AutoModelForSequenceClassification

from teacher_cache.errors import UserError
from teacher_cache.teacher.classifier import load_classifier
from teacher_cache.teacher.tokenization import load_tokenizer
from tests.teacher_cache.teacher.families import make_checkpoint

LABELS = ["neg", "pos"]


def make_head(folder, family, names):
    """A checkpoint with a head for the classes `names`, each of whose rows holds its number."""
    classes = {"num_labels": len(names), "id2label": dict(enumerate(names))}
    make_checkpoint(family, folder, AutoModelForSequenceClassification, **classes)
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    last = find_last(model)
    with torch.no_grad():
        last.weight.copy_(torch.arange(len(names), dtype=torch.float32)[:, None].expand_as(last.weight))
    model.save_pretrained(folder)
    return folder


def find_last(model):
    head = getattr(model, "classifier", None) or model.score
    return getattr(head, "out_proj", head)


def load(folder):
    return load_classifier(folder, load_tokenizer(folder), LABELS, "float32", 64)


@pytest.mark.parametrize("family", ["roberta", "gpt2"])
@pytest.mark.parametrize(
    ("names", "rows"), [(["neg", "pos"], [0, 1]), (["pos", "neg"], [1, 0]), (["POS", " Neg"], [1, 0])]
)
def test_a_head_of_the_same_classes_is_taken_over_by_name(family, names, rows, tmp_path):
    classifier = load(make_head(tmp_path, family, names))
    assert find_last(classifier.model).weight[:, 0].tolist() == rows
    assert classifier.note == f"the base's own head is for {', '.join(names)}: taken over by these names"


@pytest.mark.parametrize("family", ["roberta", "gpt2"])
@pytest.mark.parametrize("names", [["neg", "none", "pos"], ["LABEL_0", "LABEL_1"], ["neg", "neutral"], ["score"]])
def test_a_head_of_other_classes_gives_way_to_a_new_one(family, names, tmp_path):
    classifier = load(make_head(tmp_path, family, names))
    weight = find_last(classifier.model).weight
    assert weight.shape == (2, 32)
    assert 0.05 < weight.std() < 0.2  # drawn as the checkpoint's own layers were: 0.1
    assert classifier.note == f"the base's own head is for {', '.join(names)}: a new one is trained for neg, pos"


def test_what_stands_before_the_last_layer_is_kept(tmp_path):
    """RoBERTa's head has two layers, of which the first is worth something for other classes, too."""
    folder = make_head(tmp_path, "roberta", ["a", "b", "c"])
    kept = AutoModelForSequenceClassification.from_pretrained(folder).classifier.dense.weight
    assert torch.equal(load(folder).model.classifier.dense.weight, kept)


def test_a_base_without_a_head_has_nothing_to_be_said_of(tmp_path):
    assert load(make_checkpoint("bert", tmp_path)).note is None


def test_weights_of_another_size_or_another_model_are_refused(tmp_path):
    folder = make_checkpoint("bert", tmp_path / "bert")
    AutoConfig.from_pretrained(folder, intermediate_size=48).save_pretrained(folder)
    with pytest.raises(UserError, match=r"weights must have the sizes that config.json says, got another for bert.enc"):
        load(folder)
    folder = make_checkpoint("gpt2", tmp_path / "gpt2")
    AutoConfig.for_model("distilbert", dim=32, n_layers=2, n_heads=2, vocab_size=361).save_pretrained(folder)
    with pytest.raises(
        UserError, match=r"weights must be those of the distilbert .* got none of distilbert.* and \d+ others"
    ):
        load(folder)
