"""DVC's view of this project: which stages would run, in which order, and why.

In: dvc.yaml, dvc.lock, params.yaml, the working folder, its code, the files that params.yaml names outside of it.
Out: open_repo(), Step, list_steps(), list_needed().  Imports: dvc.
"""

import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from dvc.dependency import ParamsDependency
from dvc.exceptions import DvcException
from dvc.output import Output
from dvc.repo import Repo, lock_repo
from dvc.stage import Stage
from networkx import dfs_postorder_nodes

from pipeline.old_project import require_carried
from pipeline.params import PARAMS, read_yaml
from pipeline.team.traced import compare_code
from pipeline.team.watched import compare
from teacher_cache.errors import UserError
from teacher_cache.versions import VERSIONS, copy_versions

INPUTS = "inputs"
# Where the texts are, which need not be here where no stage runs that reads them.
TEXTS = "data"


@dataclass(frozen=True)
class Step:
    """A stage as DVC would meet it; `reasons` is empty where nothing has changed."""

    name: str  # as DVC writes it: finetune@emotion-llama
    stage: Stage
    reasons: tuple[str, ...]
    cached: bool  # an earlier run on these very inputs is in DVC's run-cache

    @property
    def kind(self) -> str:
        """The stage's name in dvc.yaml."""
        return self.name.partition("@")[0]

    @property
    def pair(self) -> str:
        """The task, or the task and teacher, that the stage is for."""
        return self.name.partition("@")[2]

    @property
    def is_teachers(self) -> bool:
        """Whether a member without the teacher's libraries must find this done."""
        return self.kind in {"prepare", "base", "finetune", "cache_teacher"}

    @property
    def reads_texts(self) -> bool:
        """Whether it needs texts where it runs."""
        return any(Path(dep.def_path).parts[0] == TEXTS for dep in self.stage.deps)


@contextmanager
def open_repo() -> Iterator[Repo]:
    """The project in the current folder, as DVC sees it.

    Raises:
        UserError: what DVC refuses, in its own words; a project of version 0.1.
    """
    require_carried()
    # DVC reports each failed object with a traceback; one line of ours says it all. QDLLM_DEBUG shows the cause.
    for name in () if os.environ.get("QDLLM_DEBUG") else ("dvc", "dvc_data", "dvc_objects"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        with Repo() as repo:
            yield repo
    except DvcException as error:
        raise UserError(click.unstyle(" ".join(str(error).split()))) from error


def list_steps(repo: Repo, allow_missing: bool) -> list[Step]:
    """Every stage of the active tasks and teachers, in the order in which `dvc repro` visits them.

    Args:
        repo: the project.
        allow_missing: take outputs that are not here for unchanged, as `dvc repro --allow-missing` does.
    """
    steps: dict[Stage, Step] = {}
    with lock_repo(repo):
        graph = repo.index.graph
        _refresh_versions(graph)
        outside = _word_inputs(graph)
        for stage in dfs_postorder_nodes(graph):
            upstream = list(graph.successors(stage))
            reasons: list[str] = []
            # DVC itself decides; its status only words the decision.
            if stage.addressing == INPUTS:
                pass  # it runs every time, and what it will find is known already
            elif stage.changed(allow_missing=allow_missing, upstream=upstream):
                reasons = _word_changes(stage, allow_missing)
            reasons += [words for dep in stage.deps for words in outside.get(dep.fs_path, [])]
            runs_before = [steps[other].name for other in upstream if steps[other].reasons]
            cached = bool(reasons) and not runs_before and _is_cached(repo, stage)
            reasons += [f"after {name}" for name in runs_before]
            steps[stage] = Step(stage.addressing, stage, tuple(reasons), cached)
    return list(steps.values())


def list_needed(steps: list[Step], texts: bool = True) -> list[Output]:
    """Every finished output that the student's side reads, and its own that are still good.

    Args:
        steps: of list_steps().
        texts: whether what reads texts and is to run again may have them.
    """
    side = [step for step in steps if not step.is_teachers]
    readers = [step for step in side if not step.reads_texts or (texts and step.reasons)]
    read = {dep.fs_path for step in readers for dep in step.stage.deps}
    return [
        out
        for step in steps
        if not step.reasons
        for out in step.stage.outs
        # The report reads whole folders, of which each stage has made a file.
        if out.use_cache and (step in side or not read.isdisjoint([out.fs_path, *map(str, Path(out.fs_path).parents)]))
    ]


def _list_inputs(graph: Iterable[Stage]) -> list[Path]:
    """What stage `inputs` makes."""
    return [Path(out.fs_path) for stage in graph if stage.addressing == INPUTS for out in stage.outs]


def _refresh_versions(graph: Iterable[Stage]) -> None:
    """Put the installed package's numbers where a project has them for DVC, as stage `inputs` would."""
    for path in _list_inputs(graph):
        if path.name == VERSIONS.name:
            copy_versions(path)


def _word_inputs(graph: Iterable[Stage]) -> dict[str, list[str]]:
    """What stage `inputs` would find changed, outside or in the code, by the file that a reader of it depends on."""
    out = next((path for path in _list_inputs(graph) if path.name == INPUTS), None)
    if out is None or not out.exists():  # it has said nothing yet that could be compared
        return {}
    return {
        str(out / file): [
            f"{path} {'changed' if path in before else 'is new'}"
            for path in sorted(now)
            if now[path] != before.get(path)
        ]
        for file, (before, now) in {**compare(read_yaml(PARAMS), out), **compare_code(out)}.items()
    }


def _word_changes(stage: Stage, allow_missing: bool) -> list[str]:
    # A stage that dvc.lock does not know has no hash of any output.
    if not any(out.hash_info for out in stage.outs):
        return ["has not run yet"]
    words = ["its command changed"] if stage.changed_stage() else []
    for dep in stage.deps:
        if isinstance(dep, ParamsDependency):
            words += _word_params(dep)
        else:
            words += [f"{path} is {change}" for path, change in dep.status().items() if change != "deleted"]
    if not allow_missing:
        words += [f"{path} is not here" for dep in stage.deps for path, how in dep.status().items() if how == "deleted"]
    lost = {"deleted", "not in cache"} if allow_missing else set()
    words += [
        f"{path} is {change}" for out in stage.outs for path, change in out.status().items() if change not in lost
    ]
    return words or ["an input is another stage's newer output"]


def _word_params(dep: ParamsDependency) -> list[str]:
    """Each number that differs from dvc.lock's, with both values."""
    before = dict(_flatten(dep.hash_info.value or {}))
    now = dict(_flatten(dep.read_params(flatten=True)))
    return [
        f"{key} {before.get(key, 'unset')} -> {now.get(key, 'unset')}"
        for key in [*now, *(key for key in before if key not in now)]
        if before.get(key, "unset") != now.get(key, "unset")
    ]


def _flatten(content: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _is_cached(repo: Repo, stage: Stage) -> bool:
    """Whether DVC's run-cache holds what this stage makes of its inputs as they are now."""
    probe = copy(stage)
    probe.deps, probe.outs = [copy(dep) for dep in stage.deps], [copy(out) for out in stage.outs]
    for out in probe.outs:
        out.hash_info = type(out.hash_info)()  # what dvc.lock names was made of other inputs
    try:
        probe.save_deps()
        repo.stage_cache.restore(probe, dry=True)
    except (DvcException, OSError):
        return False
    return True
