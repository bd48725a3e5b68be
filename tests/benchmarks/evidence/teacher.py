"""A unit's examples, teacher and features, by the stages of the pipeline, each where it is not there yet.

In: texts, settings.  Out: Settings, count_rows(), make_unit(), make_features().
Imports: the stages, torch by way of them.

    OUT/{task}/{labels}/{draw}/  params.yaml  data/  base/  adapter/  cache/  features-corpus/  features-encoder/
"""

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from teacher_cache.publish import publish_file, write_json
from tests.benchmarks.evidence.parts import Unit, count_epochs

TEACHER = "teacher"
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Settings:
    """Everything that decides a number: texts, the blocks of params.yaml, the seed, how many rows are taken.

    `encoder` is the folder of a frozen encoder; None where there are no features of that kind.
    """

    data: Path
    teacher: dict[str, Any]
    student: dict[str, Any]
    encoder: Path | None = None
    seed: int = 20
    limit: int | None = None
    embed: dict[str, Any] = field(default_factory=dict)

    def describe(self) -> dict[str, Any]:
        """As JSON, without what differs from place to place."""
        base = {key: value for key, value in self.teacher["base"].items() if key != "path"}
        teacher = {**self.teacher, "base": base}
        return {
            "teacher": teacher,
            "student": self.student,
            "embed": self.embed,
            "seed": self.seed,
            "limit": self.limit,
        }


def count_rows(settings: Settings, task: str) -> int:
    """How many texts of the task are taken."""
    rows = pq.read_metadata(settings.data / f"{task}.parquet").num_rows
    return min(rows, settings.limit or rows)


def make_unit(unit: Unit, settings: Settings, out: Path) -> Path:
    """The folder of `unit`, with its teacher's cache; what is there already stays."""
    folder = out / unit.name
    folder.mkdir(parents=True, exist_ok=True)
    source = _write_source(unit.task, settings, out)
    labels = sorted(set(pq.read_table(source, columns=["label_name"])["label_name"].to_pylist()))
    task = {
        "labels": labels,
        "source": {"kind": "file", "path": str(source.resolve()), "label": "label_name"},
        "split": {"column": "split", "values": {split: split for split in SPLITS}},
        **({} if unit.labels is None else {"labelled": unit.labels}),
    }
    finetune = {**settings.teacher["finetune"]}
    finetune.setdefault("epochs", count_epochs(unit.labels))
    params = {
        "seed": settings.seed + unit.draw,
        "tasks": [unit.task],
        "teachers": [TEACHER],
        "task": {unit.task: task},
        "teacher": {TEACHER: {**settings.teacher, "finetune": finetune}},
        "prepare": {"invisible": "drop"},
    }
    write_json(folder / "params.yaml", params)  # JSON is YAML, too
    who = ["--task", unit.task, "--teacher", TEACHER, "--data", "data"]
    _run(folder, "prepare", "data", "--task", unit.task, "--data", "data", "--card", "card.json")
    _run(folder, "base", "base", *who, "--base", "base")
    _run(folder, "finetune", "adapter", *who, "--base", "base", "--adapter", "adapter", "--work", "work/finetune")
    made = ["--base", "base", "--adapter", "adapter", "--work", "work/cache", "--cache", "cache"]
    _run(folder, "cache_teacher", "cache", *who, *made)
    return folder


def make_features(unit: Unit, kind: str, settings: Settings, out: Path) -> Path:
    """The folder of the unit's features of that kind."""
    folder, embed = out / unit.name, {"kind": kind, **settings.embed}
    if kind == "encoder":
        embed = {"kind": kind, "checkpoint": str(settings.encoder)}
    params = json.loads((folder / "params.yaml").read_text(encoding="utf-8"))
    write_json(folder / "params.yaml", params | {"embed": embed})
    features = f"features-{kind}"
    _run(folder, "embed", features, "--task", unit.task, "--data", "data", "--features", features)
    return folder / features


def _write_source(task: str, settings: Settings, out: Path) -> Path:
    """The task's texts with a column that says: the first 60 of 100 train, the next 20 validate, the last 20 test."""
    target = out / "texts" / f"{task}.parquet"
    if not target.exists():
        rows = count_rows(settings, task)
        table = pq.read_table(settings.data / f"{task}.parquet", columns=["text", "label_name"]).slice(0, rows)
        splits = [SPLITS[(row * 10 // rows >= 6) + (row * 10 // rows >= 8)] for row in range(rows)]
        with publish_file(target) as temporary:
            pq.write_table(table.append_column("split", [splits]), temporary)
    return target


def _run(folder: Path, stage: str, made: str, *arguments: str) -> None:
    """Run a stage in `folder`, where what it makes, which it publishes in one rename, is not there."""
    if (folder / made).exists():
        return
    main = import_module(f"pipeline.stages.{stage}").main
    with contextlib.chdir(folder):
        _call(main, [*arguments, "--record", f"records/{stage}-{made}.json"])


def _call(main: Any, arguments: Sequence[str]) -> None:
    main.main(list(arguments), standalone_mode=False)
