"""params.yaml -> frozen dataclasses.

In: the path of params.yaml.  Out: Params, read_params().  Imports: no torch, no jax.
An unknown key, a wrong type or a value out of range is an error that names the key, the rule and the value got.
"""

import json
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.corpus.config import PrepareConfig, TaskConfig
from student_jax.config import EmbedConfig, StudentConfig
from teacher_cache.errors import UserError
from teacher_cache.teacher.config import TeacherConfig

# A name becomes a folder, a DVC stage name and a params key, where a dot would separate levels.
Name = Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]*$")]


@dataclass(frozen=True, config=ConfigDict(extra="forbid", strict=True, allow_inf_nan=False))
class Params:
    """All of params.yaml; `tasks` and `teachers` say which of the defined ones are active."""

    seed: Annotated[int, Field(ge=0, lt=2**31)]
    tasks: Annotated[list[Name], Field(min_length=1)]
    teachers: Annotated[list[Name], Field(min_length=1)]
    task: dict[Name, TaskConfig]
    teacher: dict[Name, TeacherConfig]
    prepare: PrepareConfig = field(default_factory=PrepareConfig)
    embed: EmbedConfig = field(default_factory=EmbedConfig)
    student: StudentConfig = field(default_factory=StudentConfig)

    def get_task(self, name: str) -> TaskConfig:
        """The task called `name`; a UserError where it is not defined."""
        return _get(self.task, "task", name)

    def get_teacher(self, name: str) -> TeacherConfig:
        """The teacher called `name`; a UserError where it is not defined."""
        return _get(self.teacher, "teacher", name)


def _get(defined: dict[str, Any], kind: str, name: str) -> Any:
    if name not in defined:
        raise UserError(f"{kind} must be one of {', '.join(sorted(defined))}, got {name}")
    return defined[name]


def read_params(path: Path = Path("params.yaml")) -> Params:
    """Read and check all of `path`.

    Raises:
        UserError: the file is missing or not YAML, or a key breaks a rule.
    """
    try:
        content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} must exist; run this from the project's root") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} must be YAML: {' '.join(str(error).split())}") from None
    params = parse_params(content, path)
    for name in params.tasks:
        params.get_task(name)
    for name in params.teachers:
        params.get_teacher(name)
    return params


def parse_params(content: Any, path: Path = Path("params.yaml")) -> Params:
    """Check `content`, the mapping that params.yaml holds; `path` is named in errors."""
    try:
        # By way of JSON, where pydantic's strict mode takes YAML's types as they are written and no others.
        return TypeAdapter(Params).validate_json(json.dumps(content))
    except TypeError as error:
        raise UserError(f"{path}: every value must be text, a number, true, false or null: {error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"] if not _is_union_tag(part, first["loc"]))
        raise UserError(f"{path}: {key}: {_rule(first)}, got {json.dumps(first['input'])[:80]}") from None


def _is_union_tag(part: int | str, location: tuple[int | str, ...]) -> bool:
    """Pydantic puts the chosen `kind` into an error's location; the file has no such level."""
    return part in {"local", "hub", "embedded", "file"} and location[location.index(part) - 1] in {"base", "source"}


def _rule(error: Any) -> str:
    if error["type"] in {"unexpected_keyword_argument", "extra_forbidden"}:
        return "unknown key"
    return str(error["msg"]).replace("Input should", "must").replace("Field required", "must be given")
