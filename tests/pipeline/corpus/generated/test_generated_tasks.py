"""What every generated task promises, at the default number of texts."""

from functools import cache
from importlib import import_module
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from pipeline.corpus.examples import Examples, build_examples
from pipeline.corpus.generated import hiding
from pipeline.corpus.task_config import GeneratedSource, PrepareConfig, TaskConfig
from teacher_cache.text import normalise

TASKS = ("emotion", "hiding", "thematic")


@cache
def build(task: str) -> Examples:
    source = GeneratedSource(kind="embedded", generator=task)
    labels = list(import_module(f"pipeline.corpus.generated.{task}").LABELS)
    return build_examples(task, TaskConfig(labels=labels, source=source), PrepareConfig(balance=True), 1, Path())


@pytest.mark.parametrize("task", TASKS)
def test_bag_of_words_is_neither_lost_nor_certain(task):
    table = build(task).table
    split, text, label = (np.array(table[name].to_pylist()) for name in ("split", "text", "label"))
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2), LogisticRegression(max_iter=2000)
    )
    model.fit(text[split == "train"], label[split == "train"])
    assert 0.75 <= model.score(text[split == "test"], label[split == "test"]) <= 0.92


@pytest.mark.parametrize("task", TASKS)
def test_hardly_a_text_is_lost_and_classes_are_equal(task):
    card = build(task).card
    assert card["rows_read"] == 4000
    assert card["rows"] > 0.98 * 4000
    for counts in card["splits"].values():
        assert len(set(counts.values())) == 1


@pytest.mark.parametrize("task", TASKS)
def test_the_seed_decides_every_text(task):
    generate = import_module(f"pipeline.corpus.generated.{task}").generate
    assert list(generate(200, 7)) == list(generate(200, 7))
    assert list(generate(200, 7)) != list(generate(200, 8))
    assert list(islice(generate(300, 7), 200)) == list(generate(200, 7))


@pytest.mark.parametrize(
    ("task", "shortest", "longest"), [("emotion", 15, 25), ("hiding", 9, 14), ("thematic", 12, 18)]
)
def test_texts_have_the_length_of_their_kind(task, shortest, longest):
    card = build(task).card
    assert shortest <= card["words"]["mean"] <= longest
    assert card["distinct_words"] < 2000


@pytest.mark.parametrize("task", TASKS)
def test_nothing_of_a_grammar_is_left_in_the_text(task):
    for text in build(task).table["text"].to_pylist():
        assert text.isascii()
        assert not set(text) & set("{}|_<>\n")
        assert text == text.lower()


def test_the_secret_comes_back_from_the_stego_texts():
    """They are read as cleaning leaves them; together they carry the secret from its first bit on, without a gap."""
    texts = [normalise(text) for text, label in hiding.generate(1000, 4) if label == "stego"]
    bits = [hiding.decode(text) for text in texts]
    revealed = "".join(bits)
    assert revealed == "".join(islice(hiding.secret(4), len(revealed)))
    assert np.mean([len(part) for part in bits]) > 10


def test_every_stego_example_can_be_decoded_and_most_cover_examples_cannot():
    examples = build("hiding")
    decoded = {"cover": 0, "stego": 0}
    for text, label in zip(examples.table["text"].to_pylist(), examples.table["label"].to_pylist(), strict=True):
        try:
            hiding.decode(text)
        except KeyError:
            continue
        decoded[examples.labels[label]] += 1
    assert decoded["stego"] == examples.table.num_rows / 2
    assert decoded["cover"] < examples.table.num_rows / 4
