import json

import pytest
from pydantic import TypeAdapter, ValidationError

from pipeline.corpus.task_config import TaskConfig

SOURCE = {"kind": "embedded", "generator": "emotion"}
FILES = {"train": "a.csv", "test": "b.csv"}


def with_file(**fields):
    return {"labels": ["a", "b"], "source": {"kind": "file", **fields}}


PATHS = [
    (with_file(path=""), "path\n.*must be a path, or one for each of train and test"),
    (with_file(path={"train": "a.csv"}), "must be a path, or one for each of train and test"),
    (with_file(path={**FILES, "dev": "c.csv"}), "must be a path, or one for each of train and test"),
    (with_file(path={**FILES, "pool": 3}), "must be a path, or one for each of train and test"),
    (with_file(path=FILES, sha256="0" * 64), "sha256 must be of the splits that path names"),
    (with_file(path=FILES, sha256={"pool": "0" * 64}), "sha256 must be of the splits that path names"),
    (with_file(path=FILES, sha256={"test": "0"}), "must be 64 hexadecimal digits"),
    (with_file(path=FILES) | {"group": "user"}, "split must stand without group"),
    (with_file(path=FILES) | {"split": {"column": "fold"}}, "take one of the two"),
    (with_file(path="a.csv") | {"pool": {"kind": "file", "path": FILES}}, "pool must be without splits, it is one"),
    (with_file(path="a.csv") | {"pool": SOURCE, "group": "user"}, "group must name a column of pool, too"),
    (with_file(path="a.csv") | {"labelled": 3}, "greater than or equal to 4"),
    (
        {"labels": ["a", "b"], "source": {"kind": "hub", "dataset": "x", "revision": "0" * 40, "splits": []}},
        "must be a list of the dataset's splits, or one for each of train and test",
    ),
]


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ({"labels": ["a", "a"]}, "labels must differ from one another"),
        ({"labels": ["a"]}, "at least 2 items"),
        ({"labels": ["a", "b"], "values": {"0": "c"}}, "values must map to one of labels"),
        ({"labels": ["a", "b"], "limit": 3}, "greater than or equal to 20"),
        ({"labels": ["a", "b"], "source": {"kind": "hub", "dataset": "x", "revision": "main"}}, "should match pattern"),
        ({"labels": ["a", "b"], "source": {"kind": "file", "path": "x.csv", "sha256": "00"}}, "must be 64 hexadecimal"),
        *PATHS,
        ({"labels": ["a", "b"], "colour": 1}, "colour"),
    ],
)
def test_a_broken_rule_is_named(content, rule):
    with pytest.raises(ValidationError, match=rule):
        TypeAdapter(TaskConfig).validate_json(json.dumps({"source": SOURCE} | content))
