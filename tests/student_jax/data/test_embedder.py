"""Embedders: fitted alone on what they are given, the same anywhere they are loaded, refused where damaged."""

import itertools
import json
import subprocess
import sys
import unicodedata

import numpy as np
import pytest
import safetensors.numpy
import scipy.sparse as sp
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from student_jax.config import EmbedConfig
from student_jax.data.corpus_fit import _weigh_known, find_directions, weigh_terms
from student_jax.data.embedder import fit_embedder, load_embedder
from teacher_cache.errors import UserError
from teacher_cache.schema import NO_LABEL
from teacher_cache.sealed import write_sealed
from teacher_cache.text import TextRules

TEXTS = [f"{mood} {thing} number {k % 7}" for k, (mood, thing) in enumerate([("good", "film"), ("bad", "song")] * 20)]
LABELS = [0, 1] * 20


def test_features_do_not_depend_on_which_texts_are_embedded_together():
    embedder = fit_embedder(EmbedConfig(dimensions=8), TEXTS, LABELS)
    together = embedder.transform(TEXTS)
    assert together.dtype == np.float32
    assert together.shape == (40, 8)
    apart = [embedder.transform(TEXTS[first:last]) for first, last in ((0, 1), (1, 18), (18, 40))]
    np.testing.assert_array_equal(np.concatenate(apart), together)
    assert np.mean(together**2) == pytest.approx(1, rel=1e-2)


def test_inner_products_are_the_square_of_those_of_tfidf():
    """Without class weights and at full rank F = X V S, so F F^T = X V S^2 V^T X^T = (X X^T)^2, times one factor."""
    embedder = fit_embedder(EmbedConfig(class_weights=False), TEXTS, LABELS)
    words = TfidfVectorizer(token_pattern=r"\w+|[^\w\s]", ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), min_df=2, sublinear_tf=True)
    expected = sp.hstack([words.fit_transform(TEXTS), characters.fit_transform(TEXTS)]).toarray()
    features = embedder.transform(TEXTS)
    squared = np.linalg.matrix_power(expected @ expected.T, 2)
    factor = np.sum(features**2) / np.trace(squared)
    np.testing.assert_allclose(features @ features.T, factor * squared, atol=5e-3 * factor * squared.max())


def test_directions_are_those_of_the_dense_svd():
    generator = np.random.default_rng(0)
    matrix = generator.normal(size=(30, 12)) * 0.5 ** np.arange(12)
    found, singular = find_directions(sp.csr_array(matrix), 3)
    _, values, expected = np.linalg.svd(matrix)
    np.testing.assert_allclose(singular, values[:3], rtol=1e-6)
    np.testing.assert_allclose(np.abs(found.T @ expected[:3].T), np.eye(3), atol=1e-6)


def test_a_matrix_of_low_rank_gives_no_more_dimensions_than_its_rank():
    ones = sp.csr_array(np.outer(np.arange(1.0, 6), np.ones(4)))
    assert find_directions(ones, 4)[0].shape == (4, 1)
    small = fit_embedder(EmbedConfig(), ["a b", "a b c", "a c"], [0, 1, 0])
    assert small.dimensions <= 3
    assert np.isfinite(small.transform(["a"])).all()


def test_class_weights_by_hand():
    """Term 0 is in both classes' texts equally, term 1 in class 0 alone: p = (3/5, 2/5) and (3/4, 1/4), smoothed."""
    present = sp.csr_array(np.array([[1, 1], [1, 0], [1, 0], [1, 0]], float))
    weights = weigh_terms(present, np.array([0, 0, 1, 1]))
    expected = [np.log((3 / 5) / (3 / 4)) / 2, np.log((2 / 5) / (1 / 4)) / 2]
    np.testing.assert_allclose(weights, np.abs(expected))


def test_class_weights_beside_a_pool_by_hand():
    """Term 2 is in no labelled text, and weighs as the others do on average; term 1 in one: 1 : 5 to its own weight."""
    labelled = np.array([[1, 1, 0], [1, 0, 0], [1, 0, 0], [1, 0, 0]], float)
    labels, pool = np.array([0, 0, 1, 1]), np.array([[1, 1, 1], [0, 1, 1]], float)
    own = weigh_terms(sp.csr_array(labelled), labels)
    mean = (4 * own[0] + own[1]) / 5
    found = _weigh_known(sp.csr_array(np.vstack([pool, labelled])), np.append([NO_LABEL] * 2, labels))
    np.testing.assert_allclose(found, [(4 * own[0] + 5 * mean) / 9, (own[1] + 5 * mean) / 6, mean])
    np.testing.assert_array_equal(_weigh_known(sp.csr_array(labelled), labels), own)
    assert (_weigh_known(sp.csr_array(np.eye(3)), np.array([0, 1, NO_LABEL])) > 0).all()
    assert (_weigh_known(sp.csr_array(np.eye(3)[[2, 2, 0]]), np.array([0, 1, NO_LABEL])) == 1).all()


def test_class_weights_turn_the_features_to_what_tells_classes_apart():
    """`good` and `bad` decide, the numbers do not: more of the first direction is about the class with weights."""

    def separation(config):
        feature = fit_embedder(config, TEXTS, LABELS).transform(TEXTS)
        between = np.linalg.norm(feature[::2].mean(axis=0) - feature[1::2].mean(axis=0))
        return between**2 / np.mean(np.sum(feature**2, axis=1))

    assert separation(EmbedConfig(dimensions=6)) > 1.1 * separation(EmbedConfig(dimensions=6, class_weights=False))


def test_at_most_max_terms_of_each_kind():
    embedder = fit_embedder(EmbedConfig(max_terms=5), TEXTS, LABELS)
    assert [len(vocabulary.terms) for vocabulary in embedder.embedding.vocabularies.values()] == [5, 5]


def test_a_text_without_known_terms_is_zero():
    embedder = fit_embedder(EmbedConfig(dimensions=4), TEXTS, LABELS)
    assert not embedder.transform(["ξψω", ""]).any()


def test_a_decomposed_text_has_the_features_of_the_composed_one(tmp_path):
    french = [f"le café était {mood} le soir {k}" for k, mood in enumerate(["animé", "fermé"] * 20)]
    korean = [f"{mood} 영화 {k}" for k, mood in enumerate(["좋은", "나쁜"] * 20)]
    for texts in (french, korean):
        embedder = fit_embedder(EmbedConfig(dimensions=8), texts, LABELS)
        decomposed = [unicodedata.normalize("NFD", f"\n {text}") for text in texts]
        np.testing.assert_array_equal(embedder.transform(decomposed), embedder.transform(texts))
        again = fit_embedder(EmbedConfig(dimensions=8), decomposed, LABELS)
        np.testing.assert_array_equal(again.transform(texts), embedder.transform(texts))


def test_what_is_a_text_is_kept_with_the_embedder(tmp_path):
    """Those of version 0.1 say nothing of it, and keep what is invisible."""
    marked = [f"{text} {mark}" for text, mark in zip(TEXTS, ["a\u200bb", "ab"] * 20, strict=True)]
    for name, rules in (("plain", TextRules()), ("dropping", TextRules("drop", 50))):
        embedder = fit_embedder(EmbedConfig(dimensions=8), marked, LABELS, rules=rules)
        embedder.save(tmp_path / name)
        assert load_embedder(tmp_path / name).rules == rules
        one, other = load_embedder(tmp_path / name).transform(["good a\u200bb", "good ab"])
        assert np.array_equal(one, other) == (name == "dropping")
    assert '"text"' not in (tmp_path / "plain/embedder.json").read_text()


# Verbs that go with one class, in titles without a space of which no two are the same.
SCRIPTS = {
    "chinese": (["今日", "本市", "昨夜", "周末"], ["球队大胜", "股市大涨"], ["对手", "新高", "一场", "三轮"]),
    "japanese": (["きょう", "昨日の", "東京で", "週末に"], ["選手が勝利", "株価が上昇"], ["した", "する", "へ", "か"]),
    "thai": (["วันนี้", "เมื่อคืน", "สุดสัปดาห์", "พรุ่งนี้"], ["ทีมชนะ", "หุ้นขึ้น"], ["แล้ว", "อีก", "มาก", "ครับ"]),
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_without_spaces_are_told_apart_by_what_titles_share(script, tmp_path):
    starts, middles, ends = SCRIPTS[script]
    rows = [
        (f"{start}{middle}{end}", label) for start in starts for label, middle in enumerate(middles) for end in ends
    ]
    asked, fitted = rows[::5], [row for k, row in enumerate(rows) if k % 5]
    texts, labels = map(list, zip(*fitted, strict=True))
    embedder = fit_embedder(EmbedConfig(dimensions=16), texts, labels)
    embedder.save(tmp_path)
    loaded = load_embedder(tmp_path)
    classify = LogisticRegression().fit(loaded.transform(texts), labels).predict
    titles, truth = map(list, zip(*asked, strict=True))
    assert classify(loaded.transform(titles)).tolist() == truth
    assert middles[0][0] in loaded.embedding.vocabularies["words"].terms


def test_titles_may_share_parts_of_words_alone(tmp_path):
    """No word is in two texts; endings are."""
    texts = [f"{a}{b}{'heit' if k % 2 else 'ung'}" for k, (a, b) in enumerate(itertools.product("bcdf", "klmn"))]
    embedder = fit_embedder(EmbedConfig(dimensions=4), texts, [k % 2 for k in range(16)])
    assert list(embedder.embedding.vocabularies) == ["characters"]
    embedder.save(tmp_path)
    np.testing.assert_array_equal(load_embedder(tmp_path).transform(texts), embedder.transform(texts))


def test_texts_that_share_nothing_are_refused():
    with pytest.raises(UserError, match="no two of them share a term"):
        fit_embedder(EmbedConfig(), ["abc", "xyz"], [0, 1])


def test_saved_and_loaded_embedders_agree_to_the_bit(tmp_path):
    embedder = fit_embedder(EmbedConfig(dimensions=8), TEXTS, LABELS)
    embedder.save(tmp_path)
    loaded = load_embedder(tmp_path)
    np.testing.assert_array_equal(loaded.transform(TEXTS), embedder.transform(TEXTS))
    assert loaded.config == embedder.config
    assert loaded.inference_parameters == embedder.inference_parameters > 8
    assert sorted(path.name for path in tmp_path.iterdir()) == ["embedder.json", "embedder.safetensors"]


def test_the_same_texts_give_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        fit_embedder(EmbedConfig(dimensions=8), TEXTS, LABELS).save(tmp_path / name)
    for name in ("embedder.json", "embedder.safetensors"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.fixture
def checkpoint(tmp_path):
    """A folder like a checkpoint's: four tokens, a table of width 2, another tensor."""
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    tokenizer = Tokenizer(WordLevel({"[UNK]": 0, "a": 1, "b": 2, "c": 3}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    table = np.array([[0, 0], [1, 0], [0, 1], [3, 3]], np.float32)
    tensors = {"model.embed_tokens.weight": table, "model.norm.weight": np.ones(2, np.float32)}
    safetensors.numpy.save_file(tensors, folder / "model.safetensors")
    return folder


def test_static_features_are_centred_means_of_token_vectors(checkpoint, tmp_path):
    """By hand: `a b` is (1/2, 1/2), `c` is (3, 3); their mean (7/4, 7/4) is taken away, so both are +-(5/4, 5/4)."""
    embedder = fit_embedder(EmbedConfig(kind="static", checkpoint=str(checkpoint)), ["a b", "c"])
    np.testing.assert_allclose(embedder.transform(["a b", "c"]), [[-1, -1], [1, 1]], rtol=1e-3)
    assert embedder.inference_parameters == 8
    embedder.save(tmp_path)
    np.testing.assert_array_equal(load_embedder(tmp_path).transform(["b a", "c a"]), embedder.transform(["b a", "c a"]))


def test_static_needs_one_table(checkpoint):
    (checkpoint / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"one tensor whose name ends in .* got 0"):
        fit_embedder(EmbedConfig(kind="static", checkpoint=str(checkpoint)), ["a"])
    with pytest.raises(UserError, match="must be a folder for kind static, got None"):
        fit_embedder(EmbedConfig(kind="static"), ["a"])


class CountingEncoder:
    """Vectors of lengths; stands for a frozen model."""

    parameters = 100

    def encode(self, texts):
        return np.array([[len(text), 1.0] for text in texts], np.float32)


def test_encoder_features_are_centred_and_their_encoder_counts(tmp_path):
    """By hand: lengths 1 and 3 have mean 2; the deviations +-1 and 0 have mean square 1/2."""
    embedder = fit_embedder(EmbedConfig(kind="encoder", checkpoint="some"), ["a", "abc"], encoder=CountingEncoder())
    np.testing.assert_allclose(embedder.transform(["a", "abc"]), [[-(2**0.5), 0], [2**0.5, 0]], rtol=1e-6)
    assert embedder.inference_parameters == 103
    embedder.save(tmp_path)
    for encoder in (CountingEncoder(), lambda config: CountingEncoder() if config.checkpoint == "some" else None):
        again = load_embedder(tmp_path, encoder)
        np.testing.assert_array_equal(again.transform(["ab"]), embedder.transform(["ab"]))
    for encoder in (None, lambda config: None):
        with pytest.raises(UserError, match="need the encoder some"):
            load_embedder(tmp_path, encoder)


def test_too_rare_terms_and_no_texts_are_refused():
    with pytest.raises(UserError, match="min_document_frequency must be small enough for 1 training texts, got 2"):
        fit_embedder(EmbedConfig(), ["one text"], [0])
    with pytest.raises(UserError, match="at least one text, got 0"):
        fit_embedder(EmbedConfig(), [])


@pytest.mark.parametrize("damage", ["missing", "cut", "format", "foreign"])
def test_damaged_embedders_are_refused(tmp_path, damage):
    fit_embedder(EmbedConfig(dimensions=4), TEXTS, LABELS).save(tmp_path)
    description, tensors = tmp_path / "embedder.json", tmp_path / "embedder.safetensors"
    if damage == "missing":
        tensors.unlink()
    elif damage == "cut":
        tensors.write_bytes(tensors.read_bytes()[:50])
    else:
        content = json.loads(description.read_text())
        content.update({"format": 99} if damage == "format" else {"config": {"kind": "pickle"}})
        del content["seal"]
        write_sealed(description, content)
    with pytest.raises(UserError, match=r"must exist|must be the file|no readable embedder|format must be 1, got 99"):
        load_embedder(tmp_path)


def test_how_many_texts_were_fitted_on_is_kept_where_it_is_not_the_default(tmp_path):
    """So that an embedder of version 0.1 is the same bytes today."""
    for most in (100_000, 30):
        fit_embedder(EmbedConfig(dimensions=4, fit_texts=most), TEXTS, LABELS).save(tmp_path / str(most))
        assert load_embedder(tmp_path / str(most)).config.fit_texts == most
    assert "fit_texts" not in json.loads((tmp_path / "100000" / "embedder.json").read_text())["config"]


def test_features_need_no_jax():
    """The embed stage runs where jax is not installed."""
    modules = ("embedder", "features", "corpus_features", "static_features", "encoder_features")
    names = ", ".join(f"student_jax.data.{name}" for name in modules)
    code = f"import sys; sys.modules['jax'] = None; import {names}; print('fine')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "fine", done.stderr
