"""What belongs together stays together, and given splits stay as they are, whatever the order of rows."""

import json
import random

import numpy as np
import pytest

from pipeline.corpus.examples import build_examples
from pipeline.corpus.given_split import deal_groups, take_splits
from pipeline.corpus.task_config import FileSource, GivenSplit, PrepareConfig, TaskConfig
from teacher_cache.errors import UserError
from teacher_cache.schema import LABELLED_SPLITS

LABELS = ["neg", "pos"]
SOURCE = FileSource(kind="file", path="users.jsonl")


def make_rows(users=30, each=6):
    """Texts of users, of whom every third has one class alone; each with a split of its own."""
    return [
        {
            "user": f"u{user}",
            "text": f"text {number} of user {user}",
            "label": LABELS[(number if user % 3 else user) % 2],
            "split": ("train", "train", "train", "dev", "test", "test")[number % 6],
        }
        for user in range(users)
        for number in range(each)
    ]


def build(root, rows, seed=5, prepare=None, **task):
    (root / "users.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = TaskConfig(labels=LABELS, source=SOURCE, **task)
    return build_examples("users", config, PrepareConfig(**(prepare or {})), seed, root)


def read_splits(examples):
    return dict(zip(examples.table["text"].to_pylist(), examples.table["split"].to_pylist(), strict=True))


def test_a_users_rows_stay_in_one_split(tmp_path):
    rows = make_rows()
    found = build(tmp_path, rows, group="user")
    splits = read_splits(found)
    assert len(splits) == len(rows)
    for user in range(30):
        assert len({splits[row["text"]] for row in rows if row["user"] == f"u{user}"}) == 1
    counts = found.card["splits"]
    assert {split: sum(counts[split].values()) for split in LABELLED_SPLITS} == {
        "train": 108,
        "validation": 36,
        "test": 36,
    }
    for split, share in zip(LABELLED_SPLITS, (54, 18, 18), strict=True):
        assert all(abs(count - share) <= 6 for count in counts[split].values())
    assert found.card["source"]["group"] == "user"


def test_the_order_of_rows_says_nothing_and_the_seed_does(tmp_path):
    rows = [*make_rows(), {"user": "u9", "text": "text 0 of user 3", "label": "neg", "split": "test"}]
    first = read_splits(build(tmp_path, rows, group="user"))
    random.Random(1).shuffle(rows)
    assert read_splits(build(tmp_path, rows, group="user")) == first
    assert read_splits(build(tmp_path, rows, group="user", seed=6)) != first


@pytest.mark.parametrize("nobody", [None, "", "  "])
def test_rows_of_nobody_are_dealt_out_one_by_one(tmp_path, nobody):
    rows = [row | {"user": nobody} for row in make_rows()]
    counts = build(tmp_path, rows, group="user").card["splits"]
    assert {split: sum(counts[split].values()) for split in LABELLED_SPLITS} == {
        "train": 108,
        "validation": 36,
        "test": 36,
    }


def test_too_few_groups_are_refused_with_the_numbers(tmp_path):
    rows = [row for row in make_rows() if row["user"] in {"u1", "u2"}]
    with pytest.raises(
        UserError, match=r"^task users: class neg must have texts in each of train, validation, test, got "
    ):
        build(tmp_path, rows, group="user")


def test_groups_are_dealt_out_by_their_sizes_by_hand():
    """Six rows, two of each class a group, in 1 : 1 : 1: each split gets one."""
    groups = np.frombuffer(b"".join(bytes([name]) * 16 for name in (1, 1, 2, 2, 3, 3)), "V16")
    dealt = deal_groups(groups, np.array([0, 1, 0, 1, 0, 1]), [1, 1, 1], seed=0)
    assert sorted(dealt.tolist()) == [0, 0, 1, 1, 2, 2]
    assert (dealt[::2] == dealt[1::2]).all()


def test_the_sources_splits_stay(tmp_path):
    rows = make_rows()
    found = build(tmp_path, rows, split=GivenSplit(column="split", values={"dev": "validation"}))
    expected = {row["text"]: row["split"].replace("dev", "validation") for row in rows}
    assert read_splits(found) == expected
    assert found.card["drops"]["balance"] == 0
    assert found.card["source"]["split"] == "split"


def test_a_split_can_be_left_out_and_an_unknown_one_is_refused_with_its_line(tmp_path):
    rows = make_rows()
    given = GivenSplit(column="split", values={"dev": "validation", "hidden": None})
    rows += [{"user": "x", "text": "not for us", "label": "pos", "split": "hidden"}]
    assert build(tmp_path, rows, split=given).card["drops"]["left_out"] == 1
    with pytest.raises(
        UserError, match=r"line 4: split must be one of train, validation, test, pool, got 'dev'; map .*split.values"
    ):
        build(tmp_path, rows, split=GivenSplit(column="split"))
    rows[2]["split"] = ""
    with pytest.raises(UserError, match="line 3: split must be one of train, validation, test, pool, got ''"):
        build(tmp_path, rows, split=given)


def test_a_text_of_two_splits_is_in_the_later_one_alone(tmp_path):
    rows = make_rows()
    given = GivenSplit(column="split", values={"dev": "validation"})
    again = [
        {"user": "x", "text": rows[number]["text"], "label": rows[number]["label"], "split": split}
        for number, split in ((0, "test"), (4, "train"), (1, "dev"))
    ]
    for order in (rows + again, again + rows):
        found = build(tmp_path, order, split=given)
        splits = read_splits(found)
        assert [splits[rows[number]["text"]] for number in (0, 4, 1)] == ["test", "test", "validation"]
        assert found.card["drops"]["duplicate"] == 3


def test_validation_is_drawn_from_train_where_none_is_given():
    classes, given = np.repeat([0, 1], 50).astype(np.int32), np.repeat([0, 2, 0, 2], [40, 10, 40, 10]).astype(np.int8)
    ids = np.frombuffer(b"".join(number.to_bytes(16, "big") for number in range(100)), "V16")
    splits = take_splits(ids, classes, LABELS, given, [6, 2, 2], seed=1)
    for index in (0, 1):
        assert np.bincount(splits[classes == index]).tolist() == [30, 10, 10]
    assert ((splits == 2) == (given == 2)).all()


def test_a_class_that_a_given_split_lacks_is_refused_with_the_numbers(tmp_path):
    rows = [row for row in make_rows() if row["split"] != "test" or row["label"] == "neg"]
    with pytest.raises(
        UserError, match=r"class pos must have texts in each of .*, got 35 in train, 25 in validation, 0 in test"
    ):
        build(tmp_path, rows, split=GivenSplit(column="split", values={"dev": "validation"}))


@pytest.mark.parametrize("other", [{"group": "user"}, {"limit": 20}, {"balance": True}])
def test_what_would_change_given_splits_is_refused(other):
    with pytest.raises(ValueError, match="split must stand without group, limit and balance"):
        TaskConfig(labels=LABELS, source=SOURCE, split=GivenSplit(column="split"), **other)


def test_balancing_of_all_tasks_does_not_reach_given_splits(tmp_path):
    with pytest.raises(UserError, match="set its balance: false beside its split"):
        build(
            tmp_path,
            make_rows(),
            split=GivenSplit(column="split", values={"dev": "validation"}),
            prepare={"balance": True},
        )
