"""The whole door, from a file or a generator to the examples table."""

import json
import random

import numpy as np
import pyarrow.compute as pc
import pytest

from pipeline.corpus.clean import make_example_id
from pipeline.corpus.examples import build_examples
from pipeline.corpus.task_config import FileSource, GeneratedSource, PrepareConfig, TaskConfig
from teacher_cache.errors import UserError
from teacher_cache.schema import EXAMPLES, LABELLED_SPLITS, POOLED_EXAMPLES

LABELS = ["negative", "positive"]
TASK = TaskConfig(labels=LABELS, source=FileSource(kind="file", path="mood.jsonl"))


def write_rows(root, rows):
    lines = (json.dumps({"text": text, "label": label}) for text, label in rows)
    (root / "mood.jsonl").write_text("".join(f"{line}\n" for line in lines))


def build(root, rows, task=TASK, seed=5, **prepare):
    write_rows(root, rows)
    return build_examples("mood", task, PrepareConfig(**prepare), seed, root)


def make_rows(count):
    return [(f"text {number}", LABELS[number % 2]) for number in range(count)]


def test_the_table_is_sorted_hashed_and_of_the_schema(tmp_path):
    examples = build(tmp_path, make_rows(50))
    assert examples.labels == tuple(LABELS)
    assert examples.table.schema == EXAMPLES
    examples.table.validate(full=True)
    ids = examples.table["example_id"].to_pylist()
    assert ids == sorted(ids)
    for row in examples.table.to_pylist():
        assert row["example_id"] == make_example_id("mood", row["text"])
        assert row["label"] == int(row["text"].split()[1]) % 2


def test_rows_in_another_order_give_the_same_bytes(tmp_path):
    rows = [*make_rows(60), ("text 3", "positive"), ("text 4", "positive"), ("", "negative")]
    examples = build(tmp_path, rows)
    random.Random(0).shuffle(rows)
    again = build(tmp_path, rows)
    assert again.table.equals(examples.table)
    assert again.table.to_batches()[0].serialize() == examples.table.to_batches()[0].serialize()
    digests = [examples.card["source"].pop("sha256"), again.card["source"].pop("sha256")]
    assert digests[0] != digests[1]  # of the file; all else is the same
    assert again.card == examples.card


def test_another_seed_splits_differently_but_keeps_the_texts(tmp_path):
    first, second = (build(tmp_path, make_rows(60), seed=seed).table for seed in (1, 2))
    assert first["text"].equals(second["text"])
    assert not first["split"].equals(second["split"])


def test_the_card_counts_what_hostile_rows_cost(tmp_path):
    rows = [
        *make_rows(40),
        ("text 0", "negative"),
        (" text  1 ", "negative"),  # contradicts ("text 1", "positive"): both go
        (None, "negative"),
        ("\t", "negative"),
        ("a\0b", "negative"),
        ("\ud800", "negative"),
        ("x" * 10_000_000, "negative"),
        ("one more", "negative"),
    ]
    examples = build(tmp_path, rows, balance=True)
    assert examples.card["drops"] == {
        "null": 1, "empty": 1, "invalid_characters": 2, "too_long": 1, "duplicate": 1, "contradicting": 2,
        "balance": 2, "limit": 0,
    }  # fmt: skip
    assert examples.card["rows_read"] == len(rows)
    assert examples.card["rows"] == examples.table.num_rows == 38


def test_a_limit_is_balanced_and_stratified(tmp_path):
    task = TaskConfig(labels=LABELS, source=TASK.source, limit=20)
    card = build(tmp_path, make_rows(60), task).card
    assert card["drops"]["limit"] == 40
    assert card["splits"] == {
        split: dict.fromkeys(LABELS, count) for split, count in zip(LABELLED_SPLITS, (6, 2, 2), strict=True)
    }


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("", "negative"), (None, "positive")], r"0 of 2 \(dropped: null 1, empty 1\)"),
        ([("a", "negative"), ("a", "positive")], r"0 of 2 \(dropped: contradicting 2\)"),
        ([(f"text {number}", "negative") for number in range(30)], "task mood: class positive must have texts"),
        ([("a", ""), ("b", None)], r"0 of 2 \(dropped: none\), and 2 without a label"),
        ([("a", "neutral")], "mood.jsonl line 1: label must be one of negative, positive, got 'neutral'"),
    ],
)
def test_too_little_is_refused(tmp_path, rows, message):
    with pytest.raises(UserError, match=message):
        build(tmp_path, rows)


def test_a_header_alone_is_refused(tmp_path):
    (tmp_path / "mood.csv").write_text("text,label\n")
    task = TaskConfig(labels=LABELS, source=FileSource(kind="file", path="mood.csv"))
    with pytest.raises(
        UserError, match=r"there must be labelled texts left after cleaning, got 0 of 0 \(dropped: none\)"
    ):
        build_examples("mood", task, PrepareConfig(), 0, tmp_path)


def test_labels_that_a_generator_does_not_write_are_refused(tmp_path):
    task = TaskConfig(labels=["bad", "good"], source=GeneratedSource(kind="embedded", generator="emotion", rows=100))
    with pytest.raises(UserError, match="generated emotion: label must be one of bad, good, got 'negative'"):
        build_examples("mood", task, PrepareConfig(), 0, tmp_path)


def test_no_text_is_in_two_splits_however_it_is_written(tmp_path):
    rows = make_rows(60) + [(f"  text\u00a0{number} ", LABELS[number % 2]) for number in range(60)]
    table = build(tmp_path, rows).table
    assert table.num_rows == 60
    assert pc.count_distinct(table["text"]).as_py() == 60
    assert np.unique(table["split"].to_pylist()).tolist() == sorted(LABELLED_SPLITS)


def test_a_rare_class_costs_the_others_nothing(tmp_path):
    rows = [(f"parcel {number} arrived", "positive") for number in range(500)]
    rows += [(f"parcel {number} was lost", "negative") for number in range(3)]
    card = build(tmp_path, rows).card
    assert (card["rows_read"], card["rows"]) == (503, 503)
    with pytest.raises(UserError, match=r"there must be 4 texts to train on at least, got 2 \(dropped: balance 497\)"):
        build(tmp_path, rows, TaskConfig(labels=LABELS, source=TASK.source, balance=True))
    assert (
        build(tmp_path, rows, TaskConfig(labels=LABELS, source=TASK.source, balance=False), balance=True).card == card
    )


def test_rows_without_a_label_are_the_pool_and_classes_left_out_are_counted(tmp_path):
    rows = [*make_rows(40), ("nobody has said", ""), ("nor here", None), ("so so", "neutral"), ("text 0", None)]
    task = TaskConfig(labels=LABELS, source=TASK.source, values={"neutral": None})
    found = build(tmp_path, rows, task)
    card, table = found.card, found.table
    assert (card["rows_read"], card["rows"]) == (44, 42)
    assert {reason: count for reason, count in card["drops"].items() if count} == {"duplicate": 1, "left_out": 1}
    assert card["pool"] == {"texts": 2, "hidden_labels": 0}
    assert table.schema == POOLED_EXAMPLES
    pool = table.filter(pc.equal(table["split"], "pool"))
    assert sorted(zip(pool["text"].to_pylist(), pool["label"].to_pylist(), strict=True)) == [
        ("nobody has said", None),
        ("nor here", None),
    ]
    # What has a label is split as if there were no pool.
    alone = build(tmp_path, make_rows(40)).table
    assert table.filter(pc.is_valid(table["label"])).to_pylist() == alone.to_pylist()
