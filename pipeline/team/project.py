"""All of params.yaml, for the commands that need to know what is active; a stage reads its own block alone.

In: the path of params.yaml.  Out: Project, read_project().  Imports: the configurations of all parts.
"""

from dataclasses import field
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from pipeline.corpus.task_config import PrepareConfig, TaskConfig
from pipeline.params import PARAMS, Name, Names, Seed, parse, read_yaml
from student_jax.comparators.comparator_config import METHODS, BaselineConfig, Method
from student_jax.config import EmbedConfig, EvaluateConfig, StudentConfig
from teacher_cache.errors import UserError
from teacher_cache.teacher.teacher_config import TeacherConfig


@dataclass(frozen=True, config=ConfigDict(extra="forbid", strict=True))
class Project:
    """All of params.yaml; `tasks`, `teachers` and `baselines` say which of the defined ones are active."""

    seed: Seed
    tasks: Names
    teachers: Names
    task: dict[Name, TaskConfig]
    teacher: dict[Name, TeacherConfig]
    profile: Name = "default"
    prepare: PrepareConfig = field(default_factory=PrepareConfig)
    embed: EmbedConfig = field(default_factory=EmbedConfig)
    student: StudentConfig = field(default_factory=StudentConfig)
    evaluate: EvaluateConfig = field(default_factory=EvaluateConfig)
    baselines: list[Method] = field(default_factory=list)
    baseline: dict[Literal["shared"] | Method, dict[str, Any]] = field(default_factory=dict)


def read_project(path: Path = PARAMS) -> Project:
    """Read and check all of `path`.

    Raises:
        UserError: a key breaks a rule, or an active task, teacher or baseline is not defined.
    """
    project = parse(read_yaml(path), Project, path=path)
    for key, active, defined in (
        ("tasks", project.tasks, project.task),
        ("teachers", project.teachers, project.teacher),
        ("baselines", project.baselines, project.baseline),
    ):
        for name in active:
            if name not in defined:
                raise UserError(f"{path}: {key} must name what is defined ({', '.join(defined)}), got {name}")
        if len(set(active)) < len(active):
            raise UserError(f"{path}: {key} must name each once, got {', '.join(active)}")
    shared = project.baseline.get("shared", {})
    parse(shared, BaselineConfig, "baseline.shared", path)
    for method, kind in METHODS.items():
        parse({**shared, **project.baseline.get(method, {})}, kind, f"baseline.{method}", path)
    return project
