"""The settings of a sweep: a grid of the student's hyperparameters, or settings drawn from it.

In: texts such as student.learning_rate=1.0e-3,3.0e-3, the content of params.yaml.
Out: Point, parse_axes(), choose_points(), set_point(), write_command().  Imports: numpy, ruamel.yaml.
"""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.params import parse
from student_jax.config import StudentConfig
from student_jax.tunable import list_points
from teacher_cache.errors import UserError

# What stands for a key that params.yaml lacks; null is a value.
ABSENT = object()

# Each varied key with one of its values, in the user's own spelling.
Point: TypeAlias = dict[str, str]


def parse_axes(texts: Iterable[str]) -> dict[str, list[str]]:
    """The varied keys, each with its values.

    Raises:
        UserError: a text that is not student.KEY=VALUE,VALUE,..., or a key or value that comes twice.
    """
    axes: dict[str, list[str]] = {}
    for text in texts:
        key, _, listed = text.partition("=")
        values = [value.strip() for value in listed.split(",")]
        if not key.startswith("student.") or not all(values):
            raise UserError(f"--set must be student.KEY=VALUE,VALUE,... without spaces, got {text}")
        if key in axes or len(set(values)) < len(values):
            raise UserError(f"--set must name each key and value once, got {text}")
        axes[key] = values
    return axes


def choose_points(axes: Mapping[str, Sequence[str]], count: int | None, seed: int) -> list[Point]:
    """All points of the grid, the last key varied first; or `count` different ones drawn with `seed`, in that order.

    Raises:
        UserError: more are asked for than the grid has.
    """
    shape = [len(values) for values in axes.values()]
    total = int(np.prod(shape, dtype=object))
    if count is not None and count > total:
        raise UserError(f"--random must be at most the {total} settings of the grid, got {count}")
    if count is None:
        chosen = np.arange(total)
    else:
        chosen = np.sort(np.random.default_rng(seed).choice(total, count, replace=False))
    places = zip(*np.unravel_index(chosen, shape), strict=True) if shape else [()]
    return [{key: axes[key][int(at)] for key, at in zip(axes, place, strict=True)} for place in places]


def set_point(student: Mapping[str, Any], point: Point) -> StudentConfig:
    """The block `student` of params.yaml with the values of `point` and without its grid, checked as params.yaml is.

    Raises:
        UserError: an unknown key, or a value that breaks a rule.
    """
    content = deepcopy(dict(student))
    content.pop("grid", None)
    for key, text in point.items():
        block, (*levels, last) = content, key.split(".")[1:]
        for level in levels:
            block = block.setdefault(level, {})
            if not isinstance(block, dict):
                raise UserError(f"--set: {key}: unknown key, {level} has no others below it")
        try:
            block[last] = YAML(typ="safe").load(text)
        except YAMLError:
            raise UserError(f"--set: {key}: must be a YAML value, got {text}") from None
    return parse(content, StudentConfig, "student", Path("--set"))


def write_command(student: Mapping[str, Any], point: Point) -> str:
    """The `dvc exp run` line that trains the setting `point` and no other.

    Keys that params.yaml lacks are added with a +; a grid, which would have other settings tried, is taken away.
    """
    tried = list_points(student.get("grid", {}))
    swept = {key.removeprefix("student.") for key in point}
    words = ["-S", shlex.quote("~student.grid")] if len(tried) > 1 or swept & tried[0].keys() else []
    for key, text in point.items():
        block: Any = student
        for level in key.split(".")[1:]:
            block = block.get(level, ABSENT) if isinstance(block, dict) else ABSENT
        words += ["-S", shlex.quote(f"{'+' if block is ABSENT else ''}{key}={text}")]
    return " ".join(["dvc exp run", *words])
