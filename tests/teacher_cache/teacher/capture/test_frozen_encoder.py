"""The frozen encoder against the same model run by hand, one text at a time."""

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel

from student_jax.config import EmbedConfig
from student_jax.data.embedder import fit_embedder, load_embedder
from teacher_cache.errors import UserError
from teacher_cache.teacher.base.local_model import train_tokenizer
from teacher_cache.teacher.capture.frozen_encoder import load_encoder
from tests.teacher_cache.teacher.families import make_checkpoint

TEXTS = ["the old otter", "a hammer and a wrench near the quiet fog again today", "no"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A tiny BERT with random weights."""
    folder = tmp_path_factory.mktemp("bert")
    tokenizer = train_tokenizer(TEXTS * 20, 300)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
    )
    BertModel(config).save_pretrained(folder)
    return folder


def test_vectors_are_means_over_the_texts_own_tokens(checkpoint):
    """Padding in a batch with longer texts changes nothing."""
    encoder = load_encoder(str(checkpoint), None, 256)
    found = encoder.encode(TEXTS)
    for text, vector in zip(TEXTS, found, strict=True):
        ids = torch.tensor([encoder.tokenizer(text)["input_ids"]])
        with torch.no_grad():
            expected = BertModel.from_pretrained(checkpoint).eval()(input_ids=ids).last_hidden_state[0].mean(0)
        np.testing.assert_allclose(vector, expected.numpy(), atol=1e-5)


def test_texts_longer_than_the_models_positions_are_cut(checkpoint):
    assert np.isfinite(load_encoder(str(checkpoint), None, 256).encode(["otter " * 100])).all()


@pytest.mark.parametrize("family", ["roberta", "opt", "bart"])
def test_encoders_of_other_kinds_take_as_many_tokens_as_they_have_positions(family, tmp_path):
    """RoBERTa's table has three positions more than it can tell; the states of this OPT are narrower at its end."""
    encoder = load_encoder(str(make_checkpoint(family, tmp_path)), None, 256)
    assert encoder.max_length == 64
    vectors = encoder.encode(["fog", "otter " * 200])
    assert np.isfinite(vectors).all()
    assert vectors.shape == (2, 16 if family == "opt" else 32)
    np.testing.assert_allclose(encoder.encode(["fog"]), vectors[:1], atol=1e-5)
    assert encoder.encode([]).shape == (0, vectors.shape[1])


def test_students_features_from_an_encoder(checkpoint, tmp_path):
    encoder = load_encoder(str(checkpoint), None, 256)
    embedder = fit_embedder(EmbedConfig(kind="encoder", checkpoint=str(checkpoint)), TEXTS, encoder=encoder)
    features = embedder.transform(TEXTS)
    np.testing.assert_allclose(features.mean(axis=0), 0, atol=1e-5)
    assert np.mean(features**2) == pytest.approx(1, rel=1e-4)
    assert embedder.inference_parameters == sum(p.numel() for p in encoder.model.parameters()) + 17
    embedder.save(tmp_path)
    np.testing.assert_array_equal(load_embedder(tmp_path, encoder).transform(TEXTS), features)


def test_what_is_no_encoder_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"embed.checkpoint must be a folder or a hub id for kind encoder, got none"):
        load_encoder(None, None, 8)
    with pytest.raises(UserError, match=r"a hub id with embed.revision, got some/model"):
        load_encoder("some/model", None, 8)
    with pytest.raises(UserError, match="cannot be loaded as an encoder"):
        load_encoder(str(tmp_path), None, 8)
