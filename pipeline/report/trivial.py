"""What saying the most frequent class of every text scores, and which models do just that.

In: runs.  Out: tabulate_trivial(), list_warnings().  Imports: the standard library alone.
"""

from collections.abc import Sequence
from dataclasses import asdict

from pipeline.report.columns import TASK, Column, Table
from pipeline.report.runs import Run


def tabulate_trivial(runs: Sequence[Run]) -> Table:
    """One row per task: the least that a model must be better than, test split."""
    columns = (
        *(TASK, Column("labelled", "Labelled texts trained on", "count"), Column("pool", "Pool texts", "count")),
        *(Column("texts", "Test texts", "count"), Column("trivial_label", "Most frequent class")),
        Column("trivial_accuracy", "Accuracy of saying it always", "fraction"),
        Column("trivial_f1", "Macro F1 of that", "fraction"),
    )
    by_task: dict[str, Run] = {}
    for run in runs:
        by_task.setdefault(run.task, run)
    records = (
        {"task": task, "texts": run.texts, **asdict(run.summary.trained_on), **run.summary.trivial}
        for task, run in by_task.items()
    )
    return Table.build("trivial", "The trivial score, test split", columns, records)


def list_warnings(runs: Sequence[Run]) -> list[str]:
    """A line for each task, teacher and class that models say of every test text."""
    lines = []
    for run in runs:
        for label in run.summary.labels:
            models = [model for model, said in run.constants.items() if said == label]
            if models:
                names = " and ".join(filter(None, [", ".join(models[:-1]), models[-1]]))
                verb, score = ("says", "its accuracy is") if len(models) == 1 else ("say", "their accuracy is")
                lines.append(
                    f"{run.task}, {run.teacher}: {names} {verb} {label} of every test text; {score} that class's share"
                )
    return lines
