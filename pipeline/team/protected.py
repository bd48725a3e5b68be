"""What DVC would remove for good: files of the user's in a folder that a stage makes anew.

In: params.yaml, dvc.yaml, the working folder.  Out: require_runnable(), require_protected(), require_outside(),
list_outs(), find_owner().
Imports: pipeline.params, ruamel.yaml.

DVC removes a stage's outputs before it runs the stage. Stage `inputs`, which runs first, and the commands that come
before it refuse where that would take something that no stage can make again.
"""

import logging
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatch
from itertools import product
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.events import AliasEvent

from pipeline.params import PARAMS, read_yaml
from pipeline.team.project import read_project
from pipeline.team.watched import list_named
from teacher_cache.errors import UserError
from teacher_cache.outside import find_root, locate

LOG = logging.getLogger(__name__)
STAGES = Path("dvc.yaml")
# Stages of ours go on from what they keep there, and clear it when they are done.
OURS = {"work": "what interrupted stages go on from", "sweeps": "what `qdllm sweep` writes"}
# What each stage puts into a folder of its own. The tokenizer that a base brings has the names of its library.
MADE = {
    "inputs": ("*.json",),
    "prepare": ("examples.parquet", "labels.json", "hidden_labels.parquet", "instructions.parquet"),
    "embed": ("embedder.*", "features.parquet", "hidden_labels.parquet"),
    "base": ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"),
    "finetune": ("adapter_*", "finetune.json"),
    "cache_teacher": ("manifest.json", "part-*.parquet"),
    "train_student": ("embedder.*", "student.*", "surrogate.*", "curves.csv"),
    "compare": ("answers.parquet", "comparison.json"),
    "compare_texts": ("answers.parquet", "comparison.json"),
    "report": ("index.html", "tables/*"),
}


def require_runnable() -> None:
    """Refuse, before anything runs, what a later stage would refuse of params.yaml, and what DVC would remove for good.

    Raises:
        UserError: as read_project and require_protected.
    """
    read_project()
    params = read_yaml(PARAMS)
    _require_parts(params)
    _require_known_labels(params)
    require_protected(params)
    for line in find_aliases(PARAMS.read_text(encoding="utf-8")):
        LOG.warning(
            "%s line %d: what stands behind an alias is set once for all that share it, or not at all, by "
            "`dvc exp run --set-param`; write it out",
            *(PARAMS, line),
        )


def _require_parts(params: Mapping[str, Any]) -> None:
    """Refuse an active teacher without a part that a stage's params name: DVC does, when other stages have run."""
    for name in params["teachers"]:
        for part in ("base", "finetune", "cache_teacher"):
            if part not in params["teacher"][name]:
                raise UserError(
                    f"{PARAMS}: teacher.{name} must have {part}, got {', '.join(params['teacher'][name])}; "
                    f"`{part}: {{}}` leaves all of it as it is by default"
                )


def _require_known_labels(params: Mapping[str, Any]) -> None:
    """Refuse `all_labels` of a task whose pool nobody has labelled: its stage does, when the teachers have run."""
    for name in params["tasks"] if "all_labels" in params["comparators"] else ():
        task = params["task"][name]
        if (pool := _find_pool(task)) and not task.get("labelled"):
            raise UserError(
                f"{PARAMS}: comparators must leave out all_labels, as nobody knows the labels of task.{name}.{pool}"
            )


def _find_pool(task: Mapping[str, Any]) -> str | None:
    """Where a task names a pool; one of rows without a label is seen when they are read."""
    source, values = task["source"], (task.get("split") or {}).get("values") or {}
    named = [f"source.{key}.pool" for key in ("path", "splits") if "pool" in source.get(key, ())]
    named += [f"split.values.{value}" for value, split in values.items() if split == "pool"]
    return "pool" if task.get("pool") else next(iter(named), None)


def find_aliases(text: str) -> list[int]:
    """The lines of a YAML text that have an alias."""
    if "*" not in text:
        return []
    return [event.start_mark.line + 1 for event in YAML(typ="safe").parse(text) if isinstance(event, AliasEvent)]


def require_protected(params: Mapping[str, Any], stages: Path = STAGES) -> None:
    """Refuse where a stage's output holds what the user brought.

    Raises:
        UserError: a path of params.yaml leads into an output of an active stage, or such a folder holds a file that the
            stage did not make.
    """
    outs = dict(list_outs(read_yaml(stages)["stages"], params))
    _require_outside(list_named(params), outs)
    for out, owner in outs.items():
        for file in sorted(out.rglob("*")) if out.is_dir() else ():
            name = file.relative_to(out).as_posix()
            made = MADE.get(owner, ("*",))  # what a stage of the user's own makes is its affair
            if file.is_file() and not file.name.startswith(".") and not any(fnmatch(name, one) for one in made):
                raise UserError(
                    f"{file} was not made by stage {owner}, whose output {out}/ DVC replaces: "
                    "move the file elsewhere, to raw/ for one"
                )


def require_outside(key: str, path: Path) -> None:
    """Refuse a folder or file that a command is to write, where the project in the current folder owns that place.

    Raises:
        UserError: it lies in an output of an active stage, or in what is ours alone; `key` says what the user calls it.
    """
    if STAGES.is_file() and PARAMS.is_file():
        _require_outside([(key, str(path))], dict(list_outs(read_yaml(STAGES)["stages"], read_yaml(PARAMS))))


def _require_outside(named: Iterable[tuple[str, str]], outs: Mapping[Path, str]) -> None:
    roots = (Path.cwd(), find_root())
    whose = {out: f"the output of stage {owner}, which DVC replaces" for out, owner in outs.items()}
    whose |= {Path(folder): words for folder, words in OURS.items()}
    owned = {place: out for out in whose for root in roots for place in (root / out, (root / out).resolve())}
    for key, path in named:
        # By its name, here and in the project, and by where its links lead.
        places = [Path(os.path.normpath(root / Path(path).expanduser())) for root in roots]
        for place in (*places, locate(path).resolve()):
            if out := next((owned[folder] for folder in (place, *place.parents) if folder in owned), None):
                raise UserError(
                    f"{key} must lie outside of {out}/, {whose[out]}; got {path}: move it, to raw/ for one, "
                    "and name it there"
                )


def list_outs(stages: Mapping[str, Any], params: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """The outputs of a dvc.yaml's `stages`, for all active names, each with the stage that makes it.

    A stage of the user's own may have a list where ours name one of params.yaml.
    """
    for owner, stage in stages.items():
        matrix = {
            key: names if isinstance(names, list) else params.get(names.strip("${}"), ())
            for key, names in stage.get("matrix", {}).items()
        }
        entries = [entry for kind in ("outs", "metrics", "plots") for entry in stage.get(kind, [])]
        templates = [next(iter(entry)) if isinstance(entry, Mapping) else entry for entry in entries]
        for names in product(*matrix.values()):
            for path in templates:
                for key, name in zip(matrix, names, strict=True):
                    path = path.replace(f"${{item.{key}}}", str(name))
                yield Path(path), owner


def find_owner(folder: Path) -> str | None:
    """The stage of which `folder` is an output, lies in one, or would hold one, whatever is active; None of no stage.

    Of every dvc.yaml above it, by its name and by where links lead.
    """
    for place in {Path(os.path.abspath(folder)), folder.resolve()}:
        for project in place.parents:
            stages = read_yaml(project / STAGES)["stages"] if (project / STAGES).is_file() else {}
            parts = place.relative_to(project).parts
            for owner, stage in stages.items():
                entries = [entry for kind in ("outs", "metrics", "plots") for entry in stage.get(kind, [])]
                for entry in entries:
                    path = Path(next(iter(entry)) if isinstance(entry, Mapping) else entry)
                    if all(_fits(name, part) for name, part in zip(path.parts, parts, strict=False)):
                        return str(owner)
    return None


def _fits(template: str, name: str) -> bool:
    """Whether `name` is what a template such as ${item.task} may stand for."""
    return re.fullmatch(".+".join(map(re.escape, re.split(r"\$\{.*?\}", template))), name) is not None
