"""A block of params.yaml -> the frozen dataclass that describes it.

In: the path of params.yaml, a dotted key.  Out: read_block(), read_over(), read_seed(), read_pool(),
read_active(), read_comparators(), read_yaml(), parse().
Imports: pydantic, ruamel.yaml.

A stage reads its own block alone, so that a new key of another stage's block leaves it as it is. An unknown key, a
wrong type or a value out of range is an error that names the key, the rule and the value got.
"""

import json
import re
from collections.abc import Iterable
from copy import deepcopy
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from teacher_cache.errors import UserError

PARAMS = Path("params.yaml")

# Words that YAML and `dvc exp run --set-param` do not take for text.
WORDS = ("null", "true", "false")


def _require_name(name: str) -> str:
    """A name becomes a folder, a DVC stage and a key of params.yaml that `--set-param` can write: no digit first."""
    if not re.fullmatch(r"[a-z][a-z0-9_-]*", name) or name in WORDS:
        raise ValueError(
            "a name must begin with a lower-case letter and go on with these, digits, - and _"
            f" (and be none of {', '.join(WORDS)})"
        )
    return name


Name = Annotated[str, AfterValidator(_require_name)]
Names = Annotated[list[Name], Field(min_length=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Pool = Annotated[int, Field(ge=0)] | None


def read_block(key: str, kind: Any, path: Path = PARAMS) -> Any:
    """The value at `key` of `path`, such as "teacher.bloom.finetune", checked as a `kind`: a dataclass, or any type.

    A last level that is absent stands for its defaults, where all of them have one.

    Raises:
        UserError: the file is missing or not YAML, the key is not there, or a value breaks a rule.
    """
    content = read_yaml(path)
    levels = key.split(".")
    for depth, level in enumerate(levels):
        if not isinstance(content, dict) or (level not in content and depth < len(levels) - 1):
            defined = ", ".join(sorted(content)) if isinstance(content, dict) else "nothing"
            place = ".".join(levels[:depth]) or "the top level"
            raise UserError(f"{path}: {place} must define {level}, got {defined}")
        content = content.get(level, {})
    return parse(content, kind, key, path)


def read_over(shared: str, key: str, kind: Any, shared_kind: Any, path: Path = PARAMS) -> Any:
    """The mapping at `key` laid over the one at `shared`, which holds for all its neighbours, checked as a `kind`.

    What is at `shared` is checked as a `shared_kind`, and is nothing to a `kind` that does not extend that.

    Raises:
        UserError: as `read_block`.
    """
    common, own = (read_block(place, dict[str, Any], path) for place in (shared, key))
    parse(common, shared_kind, shared, path)
    return parse({**common, **own} if issubclass(kind, shared_kind) else own, kind, key, path)


def read_seed(path: Path = PARAMS) -> int:
    """The number from which everything random starts."""
    return read_block("seed", Seed, path)


def read_pool(path: Path = PARAMS) -> int | None:
    """How many texts of a task's pool the student, and what it is measured against, are trained on; None for all."""
    return read_block("student.pool", Pool, path)


def read_active(path: Path = PARAMS) -> tuple[list[str], list[str]]:
    """The names of the active tasks and of the active teachers."""
    tasks, teachers = read_block("tasks", Names, path), read_block("teachers", Names, path)
    require_pairs(tasks, teachers, path)
    return tasks, teachers


def require_keys(content: Any, path: Path = PARAMS, place: str = "") -> None:
    """Refuse keys that DVC cannot bring in order: text and numbers in one mapping.

    Raises:
        UserError: naming the mapping and a key to put into quotes.
    """
    if not isinstance(content, dict):
        return
    if len({str if isinstance(key, str) else float if isinstance(key, int | float) else None for key in content}) > 1:
        odd = next(key for key in content if not isinstance(key, str))
        name = json.dumps(odd)
        raise UserError(
            f'{path}: {place}: keys must all be text or all be numbers, got {name}; write "{name}" in quotes'
        )
    for key, value in content.items():
        require_keys(value, path, f"{place}.{key}" if place else str(key))


def require_pairs(tasks: Iterable[str], teachers: Iterable[str], path: Path = PARAMS) -> None:
    """Refuse names of which two pairs would be one stage: DVC joins a task and a teacher with a hyphen.

    Raises:
        UserError: naming both pairs.
    """
    pairs: dict[str, tuple[str, str]] = {}
    for task, teacher in product(tasks, teachers):
        other = pairs.setdefault(f"{task}-{teacher}", (task, teacher))
        if other != (task, teacher):
            raise UserError(
                f"{path}: tasks and teachers must make pairs that differ when joined with a hyphen, got "
                f"{task}-{teacher} of {other[0]} and {other[1]} as of {task} and {teacher}; write one name with _ in "
                "place of -"
            )


def read_comparators(path: Path = PARAMS) -> dict[str, str]:
    """The names of what is trained beside every student, and the stage that trains each."""
    features, texts = read_block("comparators", list[Name], path), read_block("text_comparators", list[Name], path)
    return {**dict.fromkeys(features, "compare"), **dict.fromkeys(texts, "compare_texts")}


def read_yaml(path: Path) -> Any:
    """The plain content of a YAML file.

    Raises:
        UserError: the file is missing or not YAML.
    """
    try:
        return deepcopy(_load_yaml(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise UserError(f"{path} must exist; run this from the project's root") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} must be YAML: {' '.join(str(error).split())}") from None


@lru_cache(maxsize=4)
def _load_yaml(text: str) -> Any:
    """A command asks for block after block of the same file; reading YAML takes most of that time."""
    return YAML(typ="safe").load(text)


def parse(content: Any, kind: Any, key: str = "", path: Path = PARAMS) -> Any:
    """Check `content`, the value at `key` of `path`, as a `kind`.

    Raises:
        UserError: naming the key, the rule and the value got.
    """
    try:
        # By way of JSON, where pydantic's strict mode takes YAML's types as they are written and no others.
        return TypeAdapter(kind).validate_json(json.dumps(content), strict=True)
    except (TypeError, ValueError) as error:
        if not isinstance(error, ValidationError):
            raise UserError(f"{path}: {key}: every value must be text, a number, true, false or null") from None
        first = error.errors(include_url=False)[0]
        location = [str(part) for part in first["loc"]]
        # Pydantic puts the chosen `kind` of a base or a source into the location; the file has no such level.
        levels = [part for place, part in enumerate(location) if not _is_kind(part, [key, *location][: place + 1])]
        name = ".".join(part for part in (key, *levels) if part)
        raise UserError(f"{path}: {name}: {_rule(first)}, got {json.dumps(first['input'])[:80]}") from None


def _is_kind(part: str, before: list[str]) -> bool:
    kinds = {"local", "hub", "gguf", "embedded", "file"}
    return part in kinds and before[-1].rpartition(".")[2] in {"base", "source", "pool"}


def _rule(error: Any) -> str:
    if error["type"] in {"unexpected_keyword_argument", "extra_forbidden"}:
        return "unknown key"
    return (
        str(error["msg"])
        .replace("Input should", "must")
        .replace("Field required", "must be given")
        .removeprefix("Value error, ")
    )
