"""All that is known of each active task and teacher: what the stages wrote, as far as the report tells of it.

In: the folders evaluations, comparisons, cards and records.  Out: Run, Places, read_runs().
Imports: pipeline.evaluation.

Evaluations and comparisons must be there. Cards and records are telemetry, which a colleague's shared results may come
without: what is missing of them is a gap in a table and nothing else.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from pipeline.evaluation.answers import Answers, read_answers
from pipeline.evaluation.metrics import Discordance, compare_answers
from pipeline.evaluation.summary import Comparison, PairSummary, read_comparison, read_pair
from teacher_cache.errors import UserError

Record = dict[str, Any]


@dataclass(frozen=True)
class Places:
    """Where the stages wrote."""

    evaluations: Path = Path("evaluations")
    comparisons: Path = Path("comparisons")
    cards: Path = Path("cards")
    records: Path = Path("records")


@dataclass(frozen=True)
class Run:
    """One task and teacher: student and comparators, McNemar's test of each, the data card and the stages' records.

    `tests` are of the chosen seeds, student first; `texts` is how many test texts they looked at. `constants` has the
    one class that a model says of every test text, for each that does.
    """

    summary: PairSummary
    comparisons: Mapping[str, Comparison] = field(default_factory=dict)
    tests: Mapping[str, Discordance] = field(default_factory=dict)
    card: Mapping[str, Any] | None = None
    records: Sequence[Record] = ()
    constant_comparators: Mapping[str, str] = field(default_factory=dict)

    @property
    def constants(self) -> dict[str, str]:
        """Of teacher, student and comparators."""
        return {**self.summary.constants, **self.constant_comparators}

    @property
    def task(self) -> str:
        """The task's name."""
        return self.summary.task

    @property
    def teacher(self) -> str:
        """The teacher's name."""
        return self.summary.teacher

    @property
    def names(self) -> Record:
        """The two columns that say whose a row is."""
        return {"task": self.task, "teacher": self.teacher}

    @property
    def texts(self) -> int:
        """Texts of the test split."""
        return sum(sum(row) for row in self.summary.confusion.student)

    def find_record(self, stage: str, comparator: str | None = None) -> Record:
        """The record of that stage's run; an empty one where there is none."""
        found = (one for one in self.records if (one["stage"], one.get("comparator")) == (stage, comparator))
        return next(found, {})

    def describe_teacher(self) -> Record:
        """What the fine-tuning's record says: kind, name, sizes, history; but a name, nothing where there is none."""
        finetune = self.find_record("finetune").get("finetune") or {}
        base = finetune.get("base") or {}
        named = base.get("model")
        if base.get("weights"):  # of a GGUF file, as they are stored, and what became of them
            named = f"{PurePath(str(named)).name} ({base['weights']})"
        if base.get("kind") == "file":
            named = base.get("made_by") or f"file {base['sha256'][:12]}"
        named = named or (f"{base['architecture']}, trained here" if base.get("architecture") else None)
        return {**base, **finetune, "name": named}


def read_runs(
    places: Places, tasks: Sequence[str], teachers: Sequence[str], comparators: Mapping[str, str]
) -> list[Run]:
    """Each active task and teacher, tasks first; `comparators` by name, with the stage that trains each.

    Raises:
        UserError: one of them has not been evaluated or compared, or a comparator answered other texts or learned from
            another cache than the student.
    """
    records = [record for path in sorted(places.records.rglob("*.json")) if (record := _read_record(path))]
    return [_read_run(places, task, teacher, comparators, records) for task in tasks for teacher in teachers]


def _read_run(
    places: Places, task: str, teacher: str, comparators: Mapping[str, str], records: Sequence[Record]
) -> Run:
    place = places.evaluations / task / teacher
    summary = read_pair(place / "summary.json")
    folders = {name: places.comparisons / task / teacher / name for name in comparators}
    comparisons = {
        name: read_comparison(folder / "comparison.json", comparators[name]) for name, folder in folders.items()
    }
    tests, constants = {}, {}
    if comparators:
        classes = len(summary.labels)
        student = read_answers(places.comparisons / task / teacher / "student" / "answers.parquet", classes)
        for name, folder in folders.items():
            if comparisons[name].cache != summary.cache:
                raise UserError(
                    f"{folder} must be of the student's cache {summary.cache}, got {comparisons[name].cache}"
                )
            answers = read_answers(folder / "answers.parquet", classes)
            tests[name] = _test(student, answers, folder)
            if (answers.predicted == answers.predicted[0]).all():
                constants[name] = summary.labels[answers.predicted[0]]
    mine = [
        one
        for one in records
        if one.get("task") == task
        and one.get("teacher", teacher) == teacher
        and one.get("comparator") in (None, *comparators)
    ]
    return Run(summary, comparisons, tests, _read_record(places.cards / f"{task}.json"), mine, constants)


def _read_record(path: Path) -> Record | None:
    """A file of telemetry; None where it is missing or unreadable."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _test(student: Answers, other: Answers, folder: Path) -> Discordance:
    if not np.array_equal(student.ids, other.ids) or not np.array_equal(student.labels, other.labels):
        raise UserError(f"{folder} must answer the student's {len(student.ids)} texts, got {len(other.ids)} others")
    return compare_answers(student.labels, student.predicted, other.predicted)
