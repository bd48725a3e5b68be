"""Few labels out of many: as many as were asked for, of every class its share, the same ones among more of them."""

import json

import numpy as np
import pytest

from pipeline.corpus.examples import build_examples
from pipeline.corpus.task_config import FileSource, GivenSplit, PrepareConfig, TaskConfig
from teacher_cache.errors import UserError

LABELS = ["neg", "pos"]
# Four of five are positive.
ROWS = [{"text": f"text {n}", "label": LABELS[n % 5 > 0]} for n in range(500)]


def build(root, labelled=None, seed=5, rows=ROWS, **task):
    (root / "all.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = FileSource(kind="file", path="all.jsonl")
    config = TaskConfig(labels=LABELS, source=source, labelled=labelled, **task)
    return build_examples("mood", config, PrepareConfig(), seed, root)


def read(found, split):
    return {row["text"]: row["label"] for row in found.table.to_pylist() if row["split"] == split}


def test_so_many_keep_their_label_and_the_rest_of_train_is_the_pool(tmp_path):
    whole, few = build(tmp_path), build(tmp_path, 100)
    assert read(few, "test") == read(whole, "test")
    for split, count, positive in (("train", 75, 60), ("validation", 25, 20)):
        found = read(few, split)
        assert found.items() <= read(whole, split).items()
        assert (len(found), sum(found.values())) == (count, positive)
    pool = read(few, "pool")
    assert pool.keys() == read(whole, "train").keys() - read(few, "train").keys()
    assert set(pool.values()) == {None}
    assert few.card["drops"]["beyond_labelled"] == 75
    assert few.card["pool"] == {"texts": 225, "hidden_labels": 225}
    assert few.card["rows_read"] == whole.card["rows_read"] == 500
    assert few.card["source"]["labelled"] == 100


def test_what_is_hidden_is_kept_apart(tmp_path):
    few = build(tmp_path, 100)
    ids, classes = few.hidden
    hidden = dict(zip((one.tobytes() for one in ids), classes.tolist(), strict=True))
    truth = {row["text"]: LABELS.index(row["label"]) for row in ROWS}
    found = {row["example_id"]: row["text"] for row in few.table.to_pylist() if row["split"] == "pool"}
    assert hidden == {example: truth[text] for example, text in found.items()}
    assert [len(one) for one in build(tmp_path).hidden] == [0, 0]


def test_few_labels_are_among_more_and_the_seed_decides(tmp_path):
    few, more, other = build(tmp_path, 24), build(tmp_path, 240), build(tmp_path, 24, seed=6)
    for split in ("train", "validation"):
        assert read(few, split).items() <= read(more, split).items()
        assert not read(other, split).items() <= read(more, split).items()


@pytest.mark.parametrize("labelled", [8, 401, 500, 10**6])
def test_too_few_and_too_many_are_refused_with_numbers_that_work(tmp_path, labelled):
    """By hand: the third of five texts is the first that is negative, and of 9 texts 3 are to validate."""
    with pytest.raises(UserError, match=rf"^task mood: labelled must be from 9 to 400, got {labelled}: ") as error:
        build(tmp_path, labelled)
    assert "of 300 labelled texts to train on and 100 to validate" in str(error.value)
    for number in (9, 10, 400):
        assert {*read(build(tmp_path, number), "train").values()} == {0, 1}


def test_those_without_a_label_stay_in_the_pool_beside_the_hidden(tmp_path):
    rows = [*ROWS, {"text": "nobody has said", "label": None}]
    found = build(tmp_path, 400, rows=rows)
    assert found.card["pool"] == {"texts": 1, "hidden_labels": 0}
    found = build(tmp_path, 396, rows=rows)
    assert found.card["pool"] == {"texts": 4, "hidden_labels": 3}
    assert len(found.hidden[0]) == 3


def test_a_group_that_is_held_out_hides_nothing_into_the_pool(tmp_path):
    rows = [row | {"user": n // 5} for n, row in enumerate(ROWS)]
    found = build(tmp_path, 100, rows=rows, group="user")
    user = {row["text"]: row["user"] for row in rows}
    users = [{user[text] for text in read(found, split)} for split in ("train", "pool", "validation", "test")]
    assert not (users[0] | users[1]) & (users[2] | users[3])
    assert np.isin([*users[0]], [*users[1]]).any()


@pytest.mark.parametrize("validation", ["validation", "train"])
def test_given_splits_stay_as_they_are_but_for_what_is_hidden(tmp_path, validation):
    """Of 400 texts to train on 100 validate, given or drawn; the test split keeps its texts and its labels."""
    folds = ["train", "train", "train", validation, "test"]
    rows = [row | {"fold": folds[n // 5 % 5]} for n, row in enumerate(ROWS)]
    found = build(tmp_path, 80, rows=rows, split=GivenSplit(column="fold"))
    fold = {row["text"]: row["fold"] for row in rows}
    assert {text: LABELS[label] for text, label in read(found, "test").items()} == {
        row["text"]: row["label"] for row in rows if row["fold"] == "test"
    }
    assert (len(read(found, "train")), len(read(found, "validation"))) == (60, 20)
    for split, own in (("train", "train"), ("pool", "train"), ("validation", validation)):
        assert {fold[text] for text in read(found, split)} == {own}
    assert len(found.hidden[0]) == len(read(found, "pool")) > 200
