"""Tables of how good the students are: metrics, seeds, training, confusion, calibration, controls.

In: summaries.  Out: one function per table.  Imports: the standard library alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.report.columns import EPOCHS, TASK, TEACHER, Column, Table
from pipeline.report.summary_checks import Record, Summary, has_interval, name_pair

# From the circuit's nearest relative to the plainest model.
CONTROLS = {
    "no_entanglement": "circuit without entanglement",
    "frozen_circuit": "circuit frozen at its random start",
    "mlp": "MLP",
    "linear": "linear model",
}

_SPLIT, _MODEL, _SEED = Column("split", "Split"), Column("model", "Model"), Column("seed", "Seed", "count")
_COUNT = Column("count", "Texts", "count")
_ACCURACY = Column("accuracy", "Accuracy", "fraction")
_INTERVAL = (
    Column("accuracy_low", "95\N{NO-BREAK SPACE}%\N{NO-BREAK SPACE}low", "fraction"),
    Column("accuracy_high", "95\N{NO-BREAK SPACE}%\N{NO-BREAK SPACE}high", "fraction"),
)
_CLOSENESS = (Column("agreement", "Agreement", "fraction"), Column("kl", "KL (nats)", "nats"))
_QUALITY = (
    Column("precision", "Precision", "fraction"),
    Column("recall", "Recall", "fraction"),
    Column("f1", "F1", "fraction"),
    Column("ece", "ECE", "fraction"),
    Column("nll", "NLL (nats)", "nats"),
    *_CLOSENESS,
)


def tabulate_summary(summaries: Sequence[Summary]) -> Table:
    """One row per task and teacher, test split."""
    columns = (
        *(TASK, TEACHER, Column("teacher_accuracy", "Teacher accuracy", "fraction")),
        *(Column("accuracy", "Student accuracy", "fraction"), *_INTERVAL, *_CLOSENESS),
        Column("trainable_parameters", "Student parameters", "count"),
    )
    records = (
        _score(one, one["metrics"]["test"]["student"])
        | {
            "teacher_accuracy": one["metrics"]["test"]["teacher"]["accuracy"],
            "trainable_parameters": one["student"]["trainable_parameters"],
        }
        for one in summaries
    )
    return Table.build("summary", "Students and teachers, test split", columns, records)


def tabulate_metrics(summaries: Sequence[Summary]) -> Table:
    """Every metric of teacher and student on both splits."""
    columns = (TASK, TEACHER, _SPLIT, _MODEL, _ACCURACY, *_INTERVAL, *_QUALITY)
    records = (
        _score(one, one["metrics"][split][model]) | {"split": split, "model": model}
        for one in summaries
        for split in ("test", "validation")
        for model in ("teacher", "student")
    )
    return Table.build("metrics", "Teachers and students, both splits", columns, records)


def tabulate_seeds(summaries: Sequence[Summary]) -> Table:
    """Every metric of every seed on both splits."""
    columns = (TASK, TEACHER, _SPLIT, _SEED, _ACCURACY, *_QUALITY)
    records = (
        name_pair(one) | run[split] | {"split": split, "seed": run["seed"]}
        for one in summaries
        for split in ("test", "validation")
        for run in one["seeds"]
    )
    return Table.build("seeds", "Students, by seed", columns, records)


def tabulate_curves(summaries: Sequence[Summary]) -> Table:
    """The students' training, one row per seed and epoch."""
    records = (name_pair(one) | epoch for one in summaries for epoch in one["curves"])
    return Table.build("curves", "Students' training, by seed and epoch", (TASK, TEACHER, _SEED, *EPOCHS), records)


def tabulate_confusion(summaries: Sequence[Summary]) -> Table:
    """Test texts by model, true class and predicted class."""
    columns = (TASK, TEACHER, _MODEL, Column("true", "True class"), Column("predicted", "Predicted class"), _COUNT)
    records = (
        name_pair(one) | {"model": model, "true": true, "predicted": predicted, "count": count}
        for one in summaries
        for model in ("teacher", "student")
        for true, row in zip(one["labels"], one["confusion"][model], strict=True)
        for predicted, count in zip(one["labels"], row, strict=True)
    )
    return Table.build("confusion", "Confusion, test split", columns, records)


def tabulate_reliability(summaries: Sequence[Summary]) -> Table:
    """Mean confidence and accuracy in bins of confidence, test split."""
    columns = (TASK, TEACHER, _MODEL, Column("confidence", "Mean confidence", "fraction"), _ACCURACY, _COUNT)
    records = (
        name_pair(one) | {"model": model} | row
        for one in summaries
        for model in ("teacher", "student")
        for row in one["reliability"][model]
    )
    return Table.build("reliability", "Reliability, test split", columns, records)


def tabulate_controls(summaries: Sequence[Summary]) -> Table:
    """The student and the controls trained beside it, test split; a summary without controls has no rows."""
    columns = (
        *(TASK, TEACHER, _MODEL, _ACCURACY, *_INTERVAL, *_QUALITY),
        Column("trainable_parameters", "Parameters", "count"),
    )
    records = (
        _score(one, run["test"]) | {"model": model, "trainable_parameters": run["trainable_parameters"]}
        for one in summaries
        if one.get("controls")
        for model, run in _list_runs(one)
    )
    return Table.build("controls", "Student and controls, test split", columns, records)


def _score(summary: Summary, scores: Mapping[str, Any]) -> Record:
    """One model's scores; the interval of a single seed, which would have no width, is left out."""
    shown = {key: value for key, value in scores.items() if has_interval(summary) or not key.startswith("accuracy_")}
    return shown | name_pair(summary)


def _list_runs(summary: Summary) -> Iterator[tuple[str, Summary]]:
    parameters = summary["student"]["trainable_parameters"]
    yield "student", {"test": summary["metrics"]["test"]["student"], "trainable_parameters": parameters}
    for name in CONTROLS:
        if name in summary["controls"]:
            yield name, summary["controls"][name]
