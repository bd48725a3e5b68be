"""The paper's tables 1, 3, 4 to 6, 7 and 8 with ours beside them.

In: summaries.  Out: build_besides, LOSSES.  Imports: the modules of this folder.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pipeline.report.columns import TASK, TEACHER, Column
from pipeline.report.paper.beside import Beside, Ours, Row
from pipeline.report.paper.models import Model, average, average_score, list_models, read_seeds
from pipeline.report.paper.published import (
    COMPRESSING,
    OVERALL,
    STUDENT,
    TASKS,
    TEACHERS,
    find_published,
    name_task,
    name_teacher,
)
from pipeline.report.summary_checks import Summary

_SCORES = tuple(
    Column(key, title, "fraction")
    for key, title in {"accuracy": "Acc", "precision": "P", "recall": "R", "f1": "F1"}.items()
)
_COSTS = (
    Column("accuracy_per_parameter", "Acc/Param", "ratio"),
    Column("accuracy_per_second", "Acc/Tkd (1/s)", "ratio"),
)
_METHODS = (*COMPRESSING.values(), STUDENT)
# Our names of the losses that are trained beside the student's own, and the paper's.
LOSSES = {"ce": "CE", "kl": "KL", "js": "JS"}
_NO_TEACHER = "no teacher (CE)"

_TEXTS_NOTE = (
    "Ours counts words, all texts together; whose tokens the paper counts is not said, and its texts times their mean "
    "length do not make its number of tokens."
)
_SIZES_NOTE = (
    "Of the task with the most classes, whose head is the largest. LoRA parameters: all that fine-tuning trains. "
    "QD-LLM's 9,275 follow from the paper's Acc and Acc/Param. Ours counts what is trained; the frozen encoder stands "
    "under what the paper leaves out."
)
_PERFORMANCE_NOTE = (
    "Overall: the mean over the teachers, ours over those of this run. P, R and F1 are means over the classes. "
    "Acc/Tkd: accuracy by the seconds of one epoch, all seeds side by side; its interval is the accuracy's. "
    "The paper's F1 of PKD in tables 5 and 6 is above its P and its R, where no harmonic mean of the two can be."
)
_LOSSES_NOTE = (
    "Means over all tasks and teachers, then by task. KL and JS learn from the teacher alone, CE from the labels "
    "alone. The rows but the last of each task are there where evaluate.losses of params.yaml names the losses, as the "
    "profile ablation does."
)
_TEACHERS_NOTE = (
    "Overall: the mean over the tasks. Without a teacher the student learns the labels by CE; that row needs "
    "ce among evaluate.losses of params.yaml. The paper's rows repeat those of tables 4 to 6."
)


def build_besides(summaries: Sequence[Summary]) -> list[Beside]:
    """All of the paper's tables that compare anything, in its order."""
    models = [model for summary in summaries for model in list_models(summary)]
    names = {summary["teacher"]: name_teacher(summary["teacher_model"]) for summary in summaries}
    own = sorted({one["task"] for one in summaries if name_task(one["task"]) is None})
    performance = [
        tabulate_performance(f"table_{number}", f"Table {number}: {task}", task, models, names)
        for number, task in zip((4, 5, 6), TASKS, strict=True)
    ]
    performance += [
        tabulate_performance(f"own_{number}", f"Your own task: {task}", task, models, names)
        for number, task in enumerate(own, 1)
    ]
    return [
        tabulate_texts(summaries),
        tabulate_sizes(summaries, models),
        *performance,
        tabulate_losses(summaries),
        tabulate_teachers(summaries, models, names),
    ]


def tabulate_texts(summaries: Sequence[Summary]) -> Beside:
    """Table 1: the data sets. The paper's tasks that were not run are rows without ours."""
    measures = (
        *(Column("texts", "Texts", "count"), Column("classes", "Classes", "count")),
        *(Column("mean_length", "Mean length (words)", "words"), Column("tokens", "Tokens", "count")),
    )
    ours = {
        one["task"]: {
            "texts": one["card"]["rows"],
            "classes": len(one["labels"]),
            "mean_length": one["card"]["words"]["mean"],
            "tokens": round(one["card"]["words"]["mean"] * one["card"]["rows"]),
        }
        for one in summaries
    }
    rows = [Row({"task": task}, find_published("table_1", task=name_task(task)), ours[task]) for task in ours]
    rows += [Row({"task": task}, find_published("table_1", task=task), {}) for task in _find_absent_tasks(ours)]
    return Beside("table_1", "Table 1: data sets", _TEXTS_NOTE, (TASK,), measures, tuple(rows))


def tabulate_sizes(summaries: Sequence[Summary], models: Sequence[Model]) -> Beside:
    """Table 3: parameters, of the task with the most classes, whose head is the largest."""
    measures = (
        *(Column("parameters", "Parameters", "count"), Column("lora_parameters", "LoRA parameters", "count")),
        Column("proportion", "Share of the largest method", "fraction"),
    )
    widest = {one["teacher"]: one for one in sorted(summaries, key=lambda one: len(one["labels"]))}
    rows: list[Row] = []
    for teacher, one in widest.items():
        size = one["teacher_model"]
        ours: dict[str, Ours] = {"parameters": size["parameters"], "lora_parameters": size["trainable_parameters"]}
        rows.append(Row({"model": teacher}, find_published("table_3", model=name_teacher(size)), ours))
    present = {name_teacher(one["teacher_model"]) for one in summaries}
    rows += [Row({"model": one}, find_published("table_3", model=one), {}) for one in TEACHERS if one not in present]
    sizes = {model.method: model.trained_parameters for model in sorted(models, key=lambda one: one.trained_parameters)}
    largest = max(sizes.get(method, 0) for method in _METHODS)
    for method in _METHODS:
        paper = find_published("table_3", model=method)
        paper = paper | {"proportion": paper["parameters"] / find_published("table_3", model="PKD")["parameters"]}
        mine = {} if method not in sizes else {"parameters": sizes[method], "proportion": sizes[method] / largest}
        rows.append(Row({"model": method}, paper, mine))
    return Beside("table_3", "Table 3: parameters", _SIZES_NOTE, (Column("model", "Model"),), measures, tuple(rows))


def tabulate_performance(
    name: str, title: str, task: str, models: Sequence[Model], names: Mapping[str, str | None]
) -> Beside:
    """One of tables 4 to 6: first the means over the teachers, then each teacher, then the paper's that were not run.

    Args:
        name: of the table, unique on the page.
        title: of the table.
        task: the paper's name of the task, or the user's own.
        models: of all tasks and teachers.
        names: the paper's name of each teacher, None where it has none.
    """
    mine = [model for model in models if task in (name_task(model.task), model.task)]
    ours = sorted({model.task for model in mine}, key=[model.task for model in mine].index) or [task]
    rows: list[Row] = []
    for one in ours:
        rows += [_compare(one, OVERALL, OVERALL, method, task, mine) for method in _METHODS]
        for teacher in dict.fromkeys(model.teacher for model in mine if model.task == one):
            rows += [_compare(one, teacher, names[teacher], method, task, mine) for method in _METHODS]
    if task in TASKS:
        absent = [teacher for teacher in TEACHERS if teacher not in names.values()]
        rows += [_compare(task, teacher, teacher, method, task, []) for teacher in absent for method in _METHODS]
    keys = (TASK, TEACHER, Column("method", "Method"))
    return Beside(name, title, _PERFORMANCE_NOTE, keys, (*_SCORES, *_COSTS), _drop_empty(rows))


def _compare(task: str, teacher: str, theirs: str | None, method: str, published: str, models: Sequence[Model]) -> Row:
    """The row of one method: of one teacher, or of all of them where the teacher is OVERALL."""
    chosen = [
        model
        for model in models
        if (model.task, model.method) == (task, method) and teacher in (OVERALL, model.teacher)
    ]
    ours = {column.key: average_score(chosen, column.key) for column in _SCORES}
    ours["accuracy_per_parameter"] = average(chosen, lambda model, one: one["accuracy"] / model.trained_parameters)
    ours["accuracy_per_second"] = average(chosen, lambda model, one: one["accuracy"] / model.seconds_per_epoch)
    paper = find_published("tables_4_to_6", task=published, teacher=theirs, method=method)
    return Row({"task": task, "teacher": teacher, "method": method}, paper, ours)


def tabulate_losses(summaries: Sequence[Summary]) -> Beside:
    """Table 7: the losses, over all tasks and teachers, then by task; the student's own loss is the last of each."""
    trained = [one for one in summaries if one.get("losses")]
    measured = trained or list(summaries)
    own = _name_loss(measured[0])
    rows: list[Row] = []
    for task in (OVERALL, *dict.fromkeys(one["task"] for one in measured)):
        chosen = [one for one in measured if task in (OVERALL, one["task"])]
        for name, title in {**LOSSES, "": own}.items():
            models = [_find_loss(one, name) for one in chosen if not name or name in one.get("losses", {})]
            ours = {key: average_score(models, key) for key in ("accuracy", "f1")}
            paper = find_published("table_7", loss=title) if task == OVERALL else {}
            rows.append(Row({"task": task, "loss": title}, paper, ours))
    measures = tuple(column for column in _SCORES if column.key in ("accuracy", "f1"))
    keys = (TASK, Column("loss", "Loss"))
    return Beside("table_7", "Table 7: loss ablation", _LOSSES_NOTE, keys, measures, _drop_empty(rows))


def tabulate_teachers(summaries: Sequence[Summary], models: Sequence[Model], names: Mapping[str, str | None]) -> Beside:
    """Table 8: the student by teacher, over all tasks and by task, and without a teacher where CE alone was trained."""
    students = [model for model in models if model.method == STUDENT]
    alone = [_find_loss(one, "ce") for one in summaries if "ce" in one.get("losses", {})]
    alone = [replace(model, teacher=_NO_TEACHER) for model in alone]
    absent = [teacher for teacher in TEACHERS if teacher not in names.values()]
    rows: list[Row] = []
    for task in (OVERALL, *dict.fromkeys(one["task"] for one in summaries)):
        published = OVERALL if task == OVERALL else name_task(task)
        chosen = [model for model in (*students, *alone) if task in (OVERALL, model.task)]
        for teacher in (*dict.fromkeys(model.teacher for model in chosen), *absent):
            mine = [model for model in chosen if model.teacher == teacher]
            ours = {column.key: average_score(mine, column.key) for column in _SCORES}
            paper = find_published("table_8", task=published, teacher=names.get(teacher, teacher))
            rows.append(Row({"task": task, "teacher": teacher}, paper, ours))
    title = "Table 8: teacher ablation"
    return Beside("table_8", title, _TEACHERS_NOTE, (TASK, TEACHER), _SCORES, _drop_empty(rows))


def _find_loss(summary: Summary, name: str) -> Model:
    """The student trained with the loss `name`; with its own where that is empty."""
    student = next(list_models(summary))
    return replace(student, seeds=read_seeds(summary["losses"][name]["seeds"])) if name else student


def _name_loss(summary: Summary) -> str:
    """The terms of equation 24 that the student's own loss has, in the paper's order."""
    loss = summary["student"]["config"]["loss"]
    weights = {"KL": loss["soft"] * loss["kl"], "JS": loss["soft"] * loss["js"], "CE": loss["hard"]}
    return "+".join(term for term, weight in weights.items() if weight > 0)


def _drop_empty(rows: Sequence[Row]) -> tuple[Row, ...]:
    return tuple(row for row in rows if not row.is_empty)


def _find_absent_tasks(ours: Mapping[str, Any]) -> Iterator[str]:
    present = {name_task(task) for task in ours}
    return (task for task in TASKS if task not in present)
