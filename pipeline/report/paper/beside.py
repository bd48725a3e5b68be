"""The paper's tables 1, 3, 4 to 6, 7 and 8 with ours beside them, and where a run differs from the paper.

In: runs.  Out: build_paper.  Imports: pipeline.evaluation.metrics.

Each measure has the paper's number and ours, and the accuracy our 95 % interval over the seeds and the difference. A
row of the paper's that has nothing of ours stands last.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from string import Formatter
from typing import Any, NamedTuple

import numpy as np

from pipeline.evaluation.metrics import Interval, estimate_mean
from pipeline.evaluation.summary import StudentScores, Trained
from pipeline.report.columns import TASK, TEACHER, Column, Table
from pipeline.report.paper.published import (
    METHODS,
    OVERALL,
    find_published,
    name_task,
    name_teacher,
    read_published,
)
from pipeline.report.runs import Record, Run

_SCORES = {"accuracy": "Acc", "precision": "P", "recall": "R", "f1": "F1"}
_MEASURES = tuple(Column(key, title, "fraction") for key, title in _SCORES.items())
_LOSSES = {"labels_alone": "CE", "kl": "KL", "js": "JS"}


class Entry(NamedTuple):
    """A row: what it is about by key, the paper's row (empty where it has none), ours by measure."""

    names: Mapping[str, str]
    paper: Record
    ours: Mapping[str, Any]


class Model(NamedTuple):
    """One trained model of one run."""

    run: Run
    one: Trained


def build_paper(runs: Sequence[Run]) -> list[Table]:
    """All tables, in the paper's order."""
    size = (Column("parameters", "Parameters", "count"), Column("lora_parameters", "LoRA parameters", "count"))
    texts = (
        *(Column("texts", "Texts", "count"), Column("classes", "Classes", "count")),
        *(Column("mean_length", "Mean length (words)", "words"), Column("tokens", "Tokens", "count")),
    )
    costs = (Column("accuracy_per_parameter", "Acc/Param", "ratio"), Column("accuracy_per_second", "Acc/Tkd", "ratio"))
    scored, method, model = (*_MEASURES, *costs), Column("method", "Method"), Column("model", "Model")
    losses = (_MEASURES[0], _MEASURES[3])
    return [
        _set_beside("table_1", "Table 1: data sets", (TASK,), texts, _list_texts(runs)),
        _set_beside("table_3", "Table 3: parameters", (model,), size, _list_sizes(runs)),
        _set_beside("tables_4_to_6", "Tables 4 to 6: scores", (TASK, TEACHER, method), scored, _list_methods(runs)),
        _set_beside("table_7", "Table 7: losses", (TASK, Column("loss", "Loss")), losses, _list_losses(runs)),
        _set_beside("table_8", "Table 8: teachers", (TASK, TEACHER), _MEASURES, _list_teachers(runs)),
        tabulate_deviations(runs),
    ]


def tabulate_deviations(runs: Sequence[Run]) -> Table:
    """The paper's text, the authors' code, this run, and what the difference does: deviations.csv, filled in."""
    titles = {"subject": "Subject", "paper": "Paper's text", "code": "Authors' code"}
    titles |= {"ours": "This run", "effect": "Why, and what it does"}
    facts = [_list_facts(run) for run in runs]
    records = [
        row | {"ours": "; ".join(dict.fromkeys(_Filler().format(row["ours"], **fact) for fact in facts))}
        for row in read_published("deviations")
    ]
    return Table.build("deviations", "Deviations", (Column(key, title) for key, title in titles.items()), records)


class _Filler(Formatter):
    """A value that is not known is a dash."""

    def get_field(self, field_name: str, args: Any, kwargs: Any) -> Any:
        try:
            return super().get_field(field_name, args, kwargs)
        except (KeyError, AttributeError, TypeError):
            return "\N{EN DASH}", field_name


def _list_facts(run: Run) -> Record:
    machine: Record = next((record["machine"] for record in run.records if "machine" in record), {})
    started = {getattr(one, "initialised_from", "scratch") == "scratch" for one in run.comparisons.values()}
    return {
        "run": run,
        "teacher": run.describe_teacher(),
        "card": run.card or {},
        "embed": run.summary.embed,
        "machine": machine,
        "seeds": len(run.summary.seeds),
        "comparators": ", ".join(run.comparisons) or "none",
        "start": {True: "from scratch", False: "from a checkpoint"}.get(min(started, default=True)),
        **run.summary.settings,
    }


def _set_beside(
    name: str, title: str, keys: Sequence[Column], measures: Sequence[Column], entries: Sequence[Entry]
) -> Table:
    columns = [*keys]
    for measure in measures:
        sides = {"paper": "paper", "ours": "ours"}
        if measure.key == "accuracy":
            sides |= {"low": "95 % low", "high": "95 % high", "difference": "difference"}
        columns += [
            Column(f"{measure.key}_{key}", f"{measure.title}, {side}", measure.kind) for key, side in sides.items()
        ]
    used = [entry.paper for entry in entries]
    rest = [Entry({}, row, {}) for row in read_published(name) if row not in used]
    records = []
    for entry in (*entries, *rest):
        record = {key.key: entry.names.get(key.key, entry.paper.get(key.key)) for key in keys}
        for measure in measures:
            paper, ours = entry.paper.get(measure.key), entry.ours.get(measure.key)
            low, high = (ours.low, ours.high) if isinstance(ours, Interval) else (None, None)
            mean = ours.mean if isinstance(ours, Interval) else ours
            difference = None if mean is None or paper is None else mean - paper
            found = {"paper": paper, "ours": mean, "low": low, "high": high, "difference": difference}
            record |= {f"{measure.key}_{side}": value for side, value in found.items()}
        records.append(record)
    return Table.build(name, title, columns, records)


def _list_texts(runs: Sequence[Run]) -> list[Entry]:
    found = {run.task: run for run in runs if run.card}
    return [
        Entry(
            {"task": task},
            find_published("table_1", task=name_task(task)),
            {
                "texts": run.card["rows"],
                "classes": len(run.summary.labels),
                "mean_length": run.card["words"]["mean"],
                "tokens": round(run.card["words"]["mean"] * run.card["rows"]),
            },
        )
        for task, run in found.items()
        if run.card
    ]


def _list_sizes(runs: Sequence[Run]) -> list[Entry]:
    """Of the task with the most classes, whose head is the largest."""
    entries = []
    for teacher, run in {run.teacher: run for run in sorted(runs, key=lambda one: len(one.summary.labels))}.items():
        said = run.describe_teacher()
        ours = {"parameters": said.get("parameters"), "lora_parameters": said.get("trainable_parameters")}
        entries.append(Entry({"model": teacher}, find_published("table_3", model=name_teacher(said.get("name"))), ours))
    for method, title in METHODS.items():
        sizes = [model.one.parameters.trainable for model in _list_models(runs, method)]
        ours = {"parameters": max(sizes, default=None)}
        entries.append(Entry({"model": title}, find_published("table_3", model=title), ours))
    return entries


def _list_methods(runs: Sequence[Run]) -> list[Entry]:
    entries = []
    for task in dict.fromkeys(run.task for run in runs):
        mine = [run for run in runs if run.task == task]
        names = {OVERALL: OVERALL} | {run.teacher: name_teacher(run.describe_teacher().get("name")) for run in mine}
        for teacher, theirs in names.items():
            chosen = [run for run in mine if teacher in (OVERALL, run.teacher)]
            for method, title in METHODS.items():
                if models := _list_models(chosen, method):
                    paper = find_published("tables_4_to_6", task=name_task(task), teacher=theirs, method=title)
                    costs = {
                        "accuracy_per_parameter": _average(
                            models, lambda one, said: said.accuracy / one.parameters.trainable
                        ),
                        "accuracy_per_second": _average(
                            models, lambda one, said: said.accuracy / max(one.seconds_per_epoch, 1e-9)
                        ),
                    }
                    entries.append(
                        Entry({"task": task, "teacher": teacher, "method": title}, paper, _score(models) | costs)
                    )
    return entries


def _list_losses(runs: Sequence[Run]) -> list[Entry]:
    entries = []
    for task in (OVERALL, *dict.fromkeys(run.task for run in runs)):
        mine = [run for run in runs if task in (OVERALL, run.task)]
        for name, title in {**_LOSSES, "student": _name_loss(runs[0])}.items():
            if models := _list_models(mine, name):
                paper = find_published("table_7", loss=title) if task == OVERALL else {}
                entries.append(Entry({"task": task, "loss": title}, paper, _score(models)))
    return entries


def _list_teachers(runs: Sequence[Run]) -> list[Entry]:
    entries = []
    for task in (OVERALL, *dict.fromkeys(run.task for run in runs)):
        mine = [run for run in runs if task in (OVERALL, run.task)]
        published = OVERALL if task == OVERALL else name_task(task)
        for teacher in dict.fromkeys(run.teacher for run in mine):
            chosen = [run for run in mine if run.teacher == teacher]
            theirs = name_teacher(chosen[0].describe_teacher().get("name"))
            paper = find_published("table_8", task=published, teacher=theirs)
            entries.append(Entry({"task": task, "teacher": teacher}, paper, _score(_list_models(chosen, "student"))))
        if alone := _list_models(mine, "labels_alone"):
            entries.append(Entry({"task": task, "teacher": "no teacher (CE)"}, {}, _score(alone)))
    return entries


def _list_models(runs: Sequence[Run], name: str) -> list[Model]:
    """The student or a comparator of those runs that have it."""
    found = ((run, run.summary if name == "student" else run.comparisons.get(name)) for run in runs)
    return [Model(run, one) for run, one in found if one is not None]


def _score(models: Sequence[Model]) -> Record:
    return {key: _average(models, partial(_get_score, key)) for key in _SCORES}


def _get_score(key: str, one: Trained, said: StudentScores) -> float:
    return float(getattr(said, key))


def _average(models: Sequence[Model], value: Callable[[Any, StudentScores], float]) -> Interval | float | None:
    """The mean over the models, with its interval over the seeds that all of them have.

    Each seed is averaged over the models first, so that the interval is that of the seeds alone.
    """
    seeds = [{seed.seed: value(model.one, seed.test) for seed in model.one.seeds} for model in models]
    values = [float(np.mean([one[seed] for one in seeds])) for seed in sorted(set.intersection(*map(set, seeds)))]
    if not values:
        return None
    return estimate_mean(values) if len(values) > 1 else values[0]


def _name_loss(run: Run) -> str:
    """The terms of equation 24 that the student's own loss has, in the paper's order."""
    loss = run.summary.settings["loss"]
    weights = {"KL": loss["soft"] * loss["kl"], "JS": loss["soft"] * loss["js"], "CE": loss["hard"]}
    return "+".join(term for term, weight in weights.items() if weight > 0)
