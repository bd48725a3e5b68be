"""What people write in a label column, and what they write in YAML for it."""

import io
import json

import pytest
from pydantic import TypeAdapter
from ruamel.yaml import YAML

from pipeline.corpus.label_names import LEFT_OUT, UNLABELLED, LabelNames, name_group
from pipeline.corpus.task_config import TaskConfig
from teacher_cache.errors import UserError

SOURCE = "source: {kind: file, path: a.csv}"


def make(text):
    """The classes of a task as params.yaml has them."""
    content = YAML(typ="safe").load(io.StringIO(f"{text}\n{SOURCE}"))
    task = TypeAdapter(TaskConfig).validate_json(json.dumps(content), strict=True)
    return LabelNames(task.labels, task.values)


@pytest.mark.parametrize(
    ("written", "values"),
    [
        ("labels: [false, true]", [False, "False", "false", "FALSE", " false"]),
        ("labels: [neg, pos]\nvalues: {false: neg, true: pos}", [False, "False", "FALSE", [False]]),
        ("labels: [0, 1]", [0, "0", 0.0, "0.0", " 0", "00", "0,0", -0.0, ["0"]]),
        ("labels: [neg, pos]\nvalues: {0: neg, 1: pos}", [0, 0.0, "0", "0.0", "00", "+0"]),
        ("labels: [neg, pos]\nvalues: {0.0: neg, 1.0: pos}", [0, 0.0, "0", "0.00"]),
        ("labels: ['01', '02']", ["01", "1", 1, 1.0, "1.0"]),
        ("labels: [neg, pos]", ["neg", " neg", "neg\t", ["neg"], ["neg", "neg"], '["neg"]', "['neg']", ("neg",)]),
        ("labels: [neg, pos]", ['{"choices": ["neg"]}', [["neg"]], [None, "neg"], "\ufeffneg"]),
        ("labels: [ferm\u00e9, ouvert]", ["ferm\u00e9", "ferme\u0301"]),
        ("labels: [ferme\u0301, ouvert]", ["ferm\u00e9", "ferme\u0301"]),
        ("labels: [two  words, b]", ["two words", "two\u00a0words"]),
        ("labels: [no, yes]", ["no"]),
        ("labels: [none, some]\nvalues: {'': none}", ["", None, float("nan"), [], "none"]),
    ],
)
def test_the_first_class_is_found(written, values):
    names = make(written)
    assert [names.find("a line 7", value) for value in values] == [0] * len(values)


@pytest.mark.parametrize("value", ["", "  ", None, float("nan"), [], [None], [""], "[]"])
def test_no_label_is_no_class(value):
    assert make("labels: [None, Some]").find("a line 7", value) == UNLABELLED


def test_what_maps_to_null_is_left_out():
    names = make("labels: [neg, pos]\nvalues: {neutral: null, '-1': null}")
    assert [names.find("a", value) for value in ("neutral", " neutral", -1, "-1.0")] == [LEFT_OUT] * 4


def test_what_stands_there_letter_by_letter_goes_first_and_what_may_be_two_is_none():
    names = make("labels: ['1', '01', a]")
    assert [names.find("a", value) for value in ("1", "01", "a")] == [0, 1, 2]
    with pytest.raises(UserError, match=r"got '1\.0'"):
        names.find("a", "1.0")


@pytest.mark.parametrize("value", ["neutral", "None", -1, 0.5, True, "Neg", "[neg", "{'choices': 3}"])
def test_an_unknown_label_is_refused_with_its_place(value):
    with pytest.raises(UserError, match=r"^a line 7: label must be one of neg, pos, got ") as error:
        make("labels: [neg, pos]\nvalues: {1: pos}").find("a line 7", value)
    assert "map other values in the task's values, to null for rows to leave out" in str(error.value)
    assert "\n" not in str(error.value)


def test_two_labels_are_no_class():
    with pytest.raises(UserError, match=r"got \['neg', 'pos'\]; keep one of them a row, or name which in source.label"):
        make("labels: [neg, pos]").find("a", ["neg", "pos"])


def test_keys_that_dvc_cannot_sort_are_refused_first(tmp_path):
    from pipeline.params import require_keys

    with pytest.raises(UserError, match=r'task.a.values: keys must all be text or all be numbers, got -1; write "-1"'):
        require_keys({"task": {"a": {"values": {"neutral": None, -1: None}}}})
    require_keys({"task": {"a": {"values": {False: "a", 1: "b", 0.5: "c"}}}})


def test_a_group_is_known_by_all_of_its_digits():
    ids = [f"{10**38 + n}" for n in range(3)]
    assert len({name_group(one) for one in ids}) == 3
    assert name_group(f"00{ids[0]}.0") == name_group(ids[0])
    assert name_group("7,0") == name_group(7) == "7"
    assert name_group("1" + "0" * 1_000_000)


def test_a_group_with_half_of_a_character_has_a_name():
    assert name_group("a\ud83d").encode() != name_group("a").encode()
