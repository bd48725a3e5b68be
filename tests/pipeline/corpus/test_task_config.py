import json

import pytest
from pydantic import TypeAdapter, ValidationError

from pipeline.corpus.task_config import TaskConfig

SOURCE = {"kind": "embedded", "generator": "emotion"}


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ({"labels": ["a", "a"]}, "labels must differ from one another"),
        ({"labels": ["a"]}, "at least 2 items"),
        ({"labels": ["a", "b"], "values": {"0": "c"}}, "values must map to one of labels"),
        ({"labels": ["a", "b"], "limit": 3}, "greater than or equal to 20"),
        ({"labels": ["a", "b"], "source": {"kind": "hub", "dataset": "x", "revision": "main"}}, "should match pattern"),
        ({"labels": ["a", "b"], "source": {"kind": "file", "path": "x.csv", "sha256": "00"}}, "should match pattern"),
        ({"labels": ["a", "b"], "colour": 1}, "colour"),
    ],
)
def test_a_broken_rule_is_named(content, rule):
    with pytest.raises(ValidationError, match=rule):
        TypeAdapter(TaskConfig).validate_json(json.dumps({"source": SOURCE} | content))
