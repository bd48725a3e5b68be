"""Version 0.1's dvc.lock -> this version's, as far as what was made then is what would be made now.

In: dvc.lock, the new dvc.yaml and params.yaml.  Out: carry_lock().  Imports: dvc, ruamel.yaml.

An entry keeps the hashes of its outputs and of what they were made of. It gets the command, the dependencies and the
params that the new stage has, with the numbers that the outputs were made with: what was stale stays stale.
"""

import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from dvc.dependency import ParamsDependency
from dvc.repo import Repo
from ruamel.yaml import YAML

from pipeline.params import PARAMS

# What a member has from others, and the student, which can be used as it is.
CARRIED = ("prepare", "embed", "base", "finetune", "cache_teacher", "train_student")
# The number of every stage in version 0.1: VERSIONS count from there.
NUMBER, VERSIONS = 1, "versions.json"
# The lists of params.yaml that stages are made of, and the options of their commands that name one of each.
NAMED = {"tasks": "--task", "teachers": "--teacher"}

Entry = dict[str, Any]


@dataclass(frozen=True)
class NewStage:
    """A stage as DVC resolves it, each tuple sorted; `params` are the keys that it reads, by file."""

    name: str  # as dvc.lock has it: finetune@emotion-llama
    cmd: str
    deps: tuple[str, ...]
    outs: tuple[str, ...]
    params: Mapping[str, tuple[str, ...]]

    @property
    def kind(self) -> str:
        """The stage's name in dvc.yaml."""
        return self.name.partition("@")[0]

    def made(self, entry: Entry) -> bool:
        """Whether `entry` has this stage's command, dependencies, outputs and params already."""
        params = {file: tuple(sorted(values)) for file, values in entry.get("params", {}).items()}
        deps, outs = (tuple(sorted(one["path"] for one in entry.get(key, []))) for key in ("deps", "outs"))
        return (entry["cmd"], deps, outs, params) == (self.cmd, self.deps, self.outs, self.params)


def carry_lock(
    text: str,
    stages: str,
    params: Mapping[str, Any],
    note_inputs: Callable[[Mapping[str, Any]], Mapping[str, Entry]],
) -> tuple[str, list[str]]:
    """A dvc.lock that says of what version 0.1 made that it is what the new stages would make.

    Args:
        text: of the old dvc.lock, whole.
        stages: the text of the new dvc.yaml.
        params: the new params.yaml, for what version 0.1 did not depend on.
        note_inputs: what dvc.lock says of the files that stage `inputs` writes for such params, by path.

    Returns:
        The new text, and a line for what was carried over and for what was not; no line where it is this version's.
    """
    content = YAML().load(text)
    entries: dict[str, Entry] = content["stages"]
    active = {key: list_names(entries, option) or params[key] for key, option in NAMED.items()}
    wanted = {**params, **active}
    carried = carry_entries(entries, resolve_stages(stages, wanted), params, note_inputs(wanted))
    lost = [name for name in entries if name not in carried]
    kinds = Counter(name.partition("@")[0] for name in carried if carried[name] is not entries[name])
    content["stages"] = {name: carried[name] for name in entries if name in carried}
    new = StringIO()
    YAML().dump(content, new)
    lines = [f"{', '.join(f'{count} {kind}' for kind, count in kinds.items())} carried over with their outputs"]
    return new.getvalue(), [*(lines if kinds else []), *([f"{', '.join(lost)} left out"] if lost else [])]


def list_names(entries: Mapping[str, Entry], option: str) -> list[str]:
    """The tasks, or the teachers, that entries are of; `option` is such as --task."""
    commands = [entry["cmd"] for name, entry in entries.items() if name.partition("@")[0] in CARRIED]
    return list(dict.fromkeys(name for cmd in commands for name in re.findall(rf"{option} (\S+)", cmd)))


def resolve_stages(stages: str, params: Mapping[str, Any]) -> list[NewStage]:
    """All stages of a dvc.yaml, given as text, with `params`."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "dvc.yaml").write_text(stages, encoding="utf-8")
        with Path(folder, PARAMS).open("w", encoding="utf-8") as stream:
            YAML(typ="safe").dump(params, stream)
        with Repo(folder, uninitialized=True) as repo:
            return [
                NewStage(
                    stage.name,
                    stage.cmd,
                    tuple(sorted(dep.def_path for dep in stage.deps if not isinstance(dep, ParamsDependency))),
                    tuple(sorted(out.def_path for out in stage.outs)),
                    {
                        dep.def_path: tuple(sorted(dep.params))
                        for dep in stage.deps
                        if isinstance(dep, ParamsDependency)
                    },
                )
                for stage in repo.index.stages
            ]


def carry_entries(
    entries: Mapping[str, Entry],
    stages: Iterable[NewStage],
    params: Mapping[str, Any],
    inputs: Mapping[str, Entry],
) -> dict[str, Entry]:
    """The entries that hold for `stages` too, as DVC would have written them.

    Args:
        entries: of dvc.lock, by stage.
        stages: of the new dvc.yaml, for every task and teacher that has an entry.
        params: the new params.yaml, for what version 0.1 did not depend on.
        inputs: what dvc.lock says of the files that stage `inputs` writes, by path.
    """
    carried: dict[str, Entry] = {}
    for stage in stages:
        if (entry := entries.get(stage.name)) is None:
            continue
        if stage.made(entry):
            carried[stage.name] = entry
        elif stage.kind in CARRIED and set(stage.outs) <= {out["path"] for out in entry["outs"]}:
            prepared = carried.get(stage.name.replace("embed@", "prepare@"))
            carried[stage.name] = _carry(entry, stage, params, inputs, prepared)
    return carried


def _carry(
    entry: Entry,
    stage: NewStage,
    params: Mapping[str, Any],
    inputs: Mapping[str, Entry],
    prepared: Entry | None,
) -> Entry:
    outs = {out["path"]: out for out in entry["outs"]}
    # Of code that a stage depends on now nothing is known, and DVC takes the stage for stale.
    deps = {**inputs, **{dep["path"]: dep for dep in entry.get("deps", [])}}
    before = _nest(entry.get("params", {}).get(str(PARAMS), {}))
    if "prepare" in before:
        before["prepare"] = {"balance": True, **before["prepare"]}  # version 0.1's default
    if stage.kind == "embed" and prepared:
        # Version 0.1 did not read the rules there, and the texts are those that they made.
        before["prepare"] = prepared["params"][str(PARAMS)]["prepare"]
    if "student" in before:
        before["student"] = {**before["student"], "pool": None}
    values: dict[str, dict[str, Any]] = {}
    for file, keys in sorted(stage.params.items(), key=lambda item: (item[0] != str(PARAMS), item[0])):
        if Path(file).name == VERSIONS:
            values[file] = dict.fromkeys(keys, NUMBER)
        else:
            values[file] = {key: value for key in keys if (value := _find(key, before, params)) is not None}
            _move_balance(values[file], params)
    known = [deps[path] for path in stage.deps if path in deps]
    carried = {
        "cmd": stage.cmd,
        **({"deps": known} if known else {}),
        "params": values,
        "outs": [outs[path] for path in stage.outs],
    }
    return deepcopy(carried)  # what two entries shared would be written as an alias


def _move_balance(values: dict[str, Any], params: Mapping[str, Any]) -> None:
    """Let a task say, in place, that it was balanced, where params.yaml lets it; version 0.1 said it of all at once."""
    for key in [key for key in values if key.startswith("task.") and values.get("prepare", {}).get("balance")]:
        if (_find(key, params) or {}).get("balance") and "balance" not in params.get("prepare", {}):
            values[key] = {**values[key], "balance": True}
            values["prepare"] = {name: value for name, value in values["prepare"].items() if name != "balance"}


def _find(key: str, *contents: Any) -> Any:
    """The value at a dotted key in the first of `contents` that has one; None where none has."""
    for content in contents:
        for level in key.split("."):
            content = content.get(level) if isinstance(content, Mapping) else None
        if content is not None:
            return content
    return None


def _nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    """{"task.a": x} -> {"task": {"a": x}}: names have no dots."""
    nested: dict[str, Any] = {}
    for key, value in flat.items():
        *levels, last = key.split(".")
        place = nested
        for level in levels:
            place = place.setdefault(level, {})
        place[last] = value
    return nested
