"""What a stage reads of params.yaml stands in its `params` of dvc.yaml: else an edit would leave it as it is."""

import ast
import re

import pytest

from tests.pipeline.stages.test_deps import ROOT, STAGES


def list_keys(call):
    """The dotted keys that a call names, where it is of `read_block` or `read_over`; what is in braces is any name."""
    if call.func.id not in ("read_block", "read_over"):
        return []
    keys = [ast.unparse(argument) for argument in call.args if isinstance(argument, ast.Constant | ast.JoinedStr)]
    return [re.sub(r"\{.*?\}", "*", key.removeprefix("f").strip("'\"")) for key in keys]


def find_calls(tree):
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]


# Of pipeline/params.py: a function's name -> the keys that it reads itself.
READERS = {
    function.name: [key for call in find_calls(function) for key in list_keys(call)]
    for function in ast.parse((ROOT / "pipeline/params.py").read_text()).body
    if isinstance(function, ast.FunctionDef)
}


def read_keys(stage):
    calls = find_calls(ast.parse((ROOT / f"pipeline/stages/{stage}.py").read_text()))
    return {key for call in calls for key in [*READERS.get(call.func.id, []), *list_keys(call)]}


def list_params(stage):
    listed = [param for param in STAGES[stage]["params"] if isinstance(param, str)]
    return [re.sub(r"\$\{.*?\}", "*", param) for param in listed]


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_a_stage_lists_every_param_that_it_reads_and_no_other(stage):
    if STAGES[stage].get("always_changed"):
        return  # it looks at all of params.yaml, every time
    keys, listed = read_keys(stage), list_params(stage)
    assert keys
    assert [key for key in keys if not any(covers(param, key) for param in listed)] == []
    assert [param for param in listed if not any(covers(param, key) for key in keys)] == []


def covers(param, key):
    return key == param or key.startswith(f"{param}.")


def test_the_readers_are_understood():
    assert READERS["read_seed"] == ["seed"]
    assert READERS["read_active"] == ["tasks", "teachers"]
    assert read_keys("prepare") == {"task.*", "prepare", "seed"}
