"""All of params.yaml, for the commands that need to know what is active; a stage reads its own block alone.

In: the path of params.yaml.  Out: Project, read_project().  Imports: the configurations of all parts.
"""

from dataclasses import field
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from pipeline.corpus.task_config import PrepareConfig, TaskConfig
from pipeline.old_project import require_carried
from pipeline.params import PARAMS, Name, Names, Seed, parse, read_over, read_yaml, require_keys, require_pairs
from student_jax.comparators.comparator_config import (
    FEATURE_CONFIGS,
    TEXT_CONFIGS,
    FeatureConfig,
    FeatureName,
    TextConfig,
    TextName,
)
from student_jax.config import EmbedConfig, StudentConfig
from teacher_cache.errors import UserError
from teacher_cache.teacher.teacher_config import TeacherConfig


@dataclass(frozen=True, config=ConfigDict(extra="forbid", strict=True))
class Project:
    """All of params.yaml; the lists of names say which of the defined ones are active.

    `set_aside` has, by dotted key, the values of the user's that `qdllm profile` has replaced, to put them back.
    """

    seed: Seed
    tasks: Names
    teachers: Names
    task: dict[Name, TaskConfig]
    teacher: dict[Name, TeacherConfig]
    profile: Name = "default"
    set_aside: dict[str, Any] = field(default_factory=dict)
    prepare: PrepareConfig = field(default_factory=PrepareConfig)
    embed: EmbedConfig = field(default_factory=EmbedConfig)
    student: StudentConfig = field(default_factory=StudentConfig)
    comparators: list[FeatureName] = field(default_factory=list)
    text_comparators: list[TextName] = field(default_factory=list)
    comparator: dict[Literal["shared"] | FeatureName | TextName, dict[str, Any]] = field(default_factory=dict)


def read_project(path: Path = PARAMS) -> Project:
    """Read and check all of `path`.

    Raises:
        UserError: it is version 0.1's, a key breaks a rule, an active task, teacher or comparator is not defined, or
            two pairs of task and teacher are one stage.
    """
    require_carried(path.parent)
    content = read_yaml(path)
    require_keys(content, path)
    project = parse(content, Project, path=path)
    for key, active, defined in (
        ("tasks", project.tasks, project.task),
        ("teachers", project.teachers, project.teacher),
        ("comparators", project.comparators, project.comparator),
        ("text_comparators", project.text_comparators, project.comparator),
    ):
        for name in active:
            if name not in defined:
                raise UserError(f"{path}: {key} must name what is defined ({', '.join(defined)}), got {name}")
        if len(set(active)) < len(active):
            raise UserError(f"{path}: {key} must name each once, got {', '.join(active)}")
    require_pairs(project.tasks, project.teachers, path)
    for name in sorted(project.comparator.keys() - {"shared"}):
        reads, kinds, common = (
            ("features", FEATURE_CONFIGS, FeatureConfig)
            if name in FEATURE_CONFIGS
            else ("texts", TEXT_CONFIGS, TextConfig)
        )
        read_over(f"comparator.shared.{reads}", f"comparator.{name}", kinds[name], common, path)
    return project
