"""Tokenizer rules, LoRA's reach, and logits that do not depend on the batch a text is in."""

import numpy as np
import pytest
import torch

from teacher_cache.errors import UserError
from teacher_cache.teacher.batches import pad_batch
from teacher_cache.teacher.classifier import load_classifier
from teacher_cache.teacher.lora import adapter_tensors, attach_lora
from teacher_cache.teacher.teacher_config import FinetuneConfig
from teacher_cache.teacher.tokenization import load_tokenizer, tokenize
from tests.teacher_cache.teacher.conftest import LABELS, make_stand_in, make_texts

ARCHITECTURES = ("bloom", "opt", "llama")


@pytest.fixture(scope="module", params=ARCHITECTURES)
def stand_in(request, tmp_path_factory):
    return make_stand_in(request.param, tmp_path_factory.mktemp(request.param))


def load(folder, max_length=64):
    tokenizer = load_tokenizer(folder)
    torch.manual_seed(0)
    return tokenizer, load_classifier(folder, tokenizer, LABELS, "float32", max_length).model.eval()


@torch.inference_mode()
def logits_of(model, tokens, pad_id=2):
    return model(**pad_batch(tokens, pad_id)).logits.numpy()


def test_padding_and_company_do_not_change_logits(stand_in):
    """OPT counts positions and BLOOM its distances along the mask; a row alone must get what it gets among others."""
    tokenizer, model = load(stand_in)
    tokens = tokenize(tokenizer, make_texts(24)[0], 64)
    alone = np.concatenate([logits_of(model, [row]) for row in tokens])
    together = logits_of(model, tokens)
    beside_a_long_one = logits_of(model, [*tokens, [5] * 64])[:-1]
    assert np.ptp(alone, axis=0).min() > 1e-3  # texts are told apart at all
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(beside_a_long_one, alone, atol=1e-5)


def test_the_head_is_the_seeds(stand_in):
    heads = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        heads.append(load_classifier(stand_in, load_tokenizer(stand_in), LABELS, "float32", 64).model.score.weight)
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])


@pytest.mark.parametrize("train_embeddings", [False, True])
def test_lora_trains_its_matrices_the_head_and_what_was_asked(stand_in, train_embeddings):
    classifier = load_classifier(stand_in, load_tokenizer(stand_in), LABELS, "float32", 64)
    adapted = attach_lora(classifier, FinetuneConfig(train_embeddings=train_embeddings))
    trained = {name for name, parameter in adapted.named_parameters() if parameter.requires_grad}
    others = {name for name in trained if "lora_" not in name}
    assert {name.split(".modules_to_save")[0].rsplit(".", 1)[-1] for name in others} == (
        {"score", "word_embeddings" if "word" in "".join(others) else "embed_tokens"} if train_embeddings else {"score"}
    )
    assert len(adapter_tensors(adapted)) == len(trained)


def test_half_precision_trains_in_single(stand_in):
    tokenizer = load_tokenizer(stand_in)
    adapted = attach_lora(load_classifier(stand_in, tokenizer, LABELS, "bfloat16", 64), FinetuneConfig())
    assert {parameter.dtype for parameter in adapted.parameters() if parameter.requires_grad} == {torch.float32}
    assert {parameter.dtype for parameter in adapted.parameters() if not parameter.requires_grad} == {torch.bfloat16}


def test_a_tokenizer_without_pad_pads_with_its_end_token(tmp_path):
    folder = make_stand_in("llama", tmp_path, pad=False)
    tokenizer, model = load(folder)
    assert tokenizer.pad_token_id == tokenizer.eos_token_id == model.config.pad_token_id == 1
    tokens = tokenize(tokenizer, ["the otter", "a quiet hammer and the old fog near it"], 64)
    together = logits_of(model, tokens, pad_id=1)
    np.testing.assert_allclose(logits_of(model, tokens[:1], pad_id=1), together[:1], atol=1e-5)


def test_more_tokens_than_positions_are_refused(tmp_path):
    folder = make_stand_in("opt", tmp_path)
    with pytest.raises(UserError, match="max_length must be <= 64, the positions of the base, got 65"):
        load(folder, max_length=65)


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    folder = make_stand_in("llama", tmp_path)
    config = (folder / "config.json").read_text().replace('"model_type": "llama"', '"model_type": "theirs"')
    (folder / "config.json").write_text(config.replace("{", '{"auto_map": {"AutoConfig": "theirs.Config"},', 1))
    (folder / "theirs.py").write_text("raise SystemExit('their code ran')")
    with pytest.raises(UserError, match="cannot be loaded as a classifier"):
        load(folder)
