"""A vocabulary of hashes: the features of the words, and none of the words."""

import json
from dataclasses import replace

import numpy as np
import pytest

from student_jax.config import EmbedConfig
from student_jax.data.embedder import fit_embedder, load_embedder
from student_jax.data.hashed_terms import hash_term
from teacher_cache.errors import UserError
from teacher_cache.sealed import read_sealed, write_sealed

TEXTS = [f"{mood} {thing} number {k % 7}" for k, (mood, thing) in enumerate([("good", "film"), ("bad", "song")] * 20)]
LABELS = [0, 1] * 20
CHINESE = [f"{team}{mood}了" for team in ("球队", "股市", "本市", "今日") for mood in ("大胜", "大涨", "失利")]
PLAIN = EmbedConfig(dimensions=8)
HASHED = replace(PLAIN, hashed=True)


@pytest.mark.parametrize("texts", [TEXTS, CHINESE], ids=["english", "chinese"])
def test_hashed_features_are_those_of_the_words(texts, tmp_path):
    """To rounding, for the same columns are added up in another order; loaded, to the bit."""
    labels = [k % 2 for k in range(len(texts))]
    plain, hashed = fit_embedder(PLAIN, texts, labels), fit_embedder(HASHED, texts, labels)
    asked = [*texts, "a good thing that nobody said before", ""]
    np.testing.assert_allclose(hashed.transform(asked), plain.transform(asked), atol=1e-5)
    assert hashed.inference_parameters == plain.inference_parameters
    hashed.save(tmp_path)
    np.testing.assert_array_equal(load_embedder(tmp_path).transform(asked), hashed.transform(asked))


def test_the_vocabulary_has_no_word_and_no_order_but_its_own(tmp_path):
    for name in ("one", "two"):
        fit_embedder(HASHED, TEXTS, LABELS).save(tmp_path / name)
    text = (tmp_path / "one/embedder.json").read_text()
    assert text == (tmp_path / "two/embedder.json").read_text()
    content = json.loads(text)
    assert not any(word in text for word in ("good", "film", "song", "number"))
    for hashes in content["terms"].values():
        assert hashes == sorted(set(hashes))
    assert hash_term("film", content["salt"]) in content["terms"]["words"]
    assert "hashed" not in json.dumps(fit_embedder(PLAIN, TEXTS, LABELS).embedding.to_content()[1])


def test_a_term_has_another_hash_in_another_vocabulary():
    salts = [fit_embedder(HASHED, texts, LABELS).embedding.salt for texts in (TEXTS, [f"{text} x" for text in TEXTS])]
    assert len({hash_term("film", salt) for salt in salts}) == 2
    assert len({hash_term(term, salts[0]) for term in ("film", "films", "fil m", "\ud800")}) == 4


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"salt": "00"}, "salt must be 64 hexadecimal digits, got 00"),
        ({"salt": None}, "salt must be 64 hexadecimal digits, got None"),
        ({"terms": {"words": ["film"], "characters": ["fi"]}}, "terms must be a list of texts, or of whole numbers"),
    ],
)
def test_what_does_not_belong_together_is_refused(change, rule, tmp_path):
    fit_embedder(HASHED, TEXTS, LABELS).save(tmp_path)
    write_sealed(tmp_path / "embedder.json", {**read_sealed(tmp_path / "embedder.json", 1), **change})
    with pytest.raises(UserError, match=rule):
        load_embedder(tmp_path)


def test_a_tokenizer_cannot_be_hashed():
    with pytest.raises(ValueError, match="hashed must go with another kind than static"):
        EmbedConfig(kind="static", checkpoint="folder", hashed=True)
