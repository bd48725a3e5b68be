"""A dataset folder on disk stands for one on the hub: the library reads both alike, and nothing is downloaded."""

import sys

import pytest

from pipeline.corpus.hub_source import read_hub_rows
from pipeline.corpus.row import Columns
from pipeline.corpus.task_config import HubSource
from teacher_cache.errors import UserError

REVISION = "0" * 40


def read(**fields):
    source = HubSource(kind="hub", revision=REVISION, **fields)
    return list(read_hub_rows(source, Columns(source.text, source.label)))


def test_splits_are_pooled_and_class_integers_named(dataset):
    rows = read(dataset=dataset, splits=["train", "test"])
    assert [row.text for row in rows] == ["a", None, "c"] * 2
    assert [row.label for row in rows] == ["neg", "pos", "pos", "pos", "neg", -1]
    assert rows[4].place.endswith("toy test row 2")


def test_labels_that_are_no_class_integers_stay_as_they_are(dataset):
    assert [row.label for row in read(dataset=dataset, label="n")] == [1, 2, 3]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"splits": ["nosuch"]}, "split nosuch: must be readable, got ValueError"),
        ({"name": "nosuch"}, "'nosuch' not found"),
        ({"text": "body"}, "there must be one column body, got 0"),
        ({"text": "n"}, "train row 1: text must be a string, got 1"),
        ({"dataset": "nobody/nothing"}, "dataset nobody/nothing, split train: must be readable, got ConnectionError"),
    ],
)
def test_what_cannot_be_had_is_one_line(dataset, fields, message):
    with pytest.raises(UserError) as caught:
        read(**{"dataset": dataset} | fields)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_library_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(UserError, match=r"pip install 'qdllm\[teacher\]'"):
        read(dataset="some/dataset")
