"""Tables of how good the students are: metrics, seeds, training, confusion, calibration, polynomials.

In: runs.  Out: one function per table.  Imports: the standard library alone.
"""

from collections.abc import Sequence
from dataclasses import asdict

from pipeline.report.columns import CLOSENESS, EPOCHS, INTERVAL, QUALITY, TASK, TEACHER, Column, Table
from pipeline.report.paired_tests import drop_interval
from pipeline.report.runs import Run

_SPLIT, _MODEL, _SEED = Column("split", "Split"), Column("model", "Model"), Column("seed", "Seed", "count")
_COUNT, _ACCURACY = Column("count", "Texts", "count"), Column("accuracy", "Accuracy", "fraction")
SPLITS = ("test", "validation")


def tabulate_summary(runs: Sequence[Run]) -> Table:
    """One row per task and teacher, test split."""
    columns = (
        *(TASK, TEACHER, Column("teacher_accuracy", "Teacher accuracy", "fraction")),
        *(Column("accuracy", "Student accuracy", "fraction"), *INTERVAL, Column("f1", "Student macro F1", "fraction")),
        *(
            Column("trivial_accuracy", "Trivial accuracy", "fraction"),
            Column("trivial_f1", "Trivial macro F1", "fraction"),
        ),
        *CLOSENESS,
        Column("trainable_parameters", "Student parameters", "count"),
        Column("settings", "Settings tried", "count"),
    )
    records = (
        run.names
        | drop_interval(run.summary)
        | run.summary.trivial
        | {
            "teacher_accuracy": run.summary.teacher_metrics.test.accuracy,
            "trainable_parameters": run.summary.parameters.trainable,
            "settings": len(run.summary.tuning.settings),
        }
        for run in runs
    )
    return Table.build("summary", "Students and teachers, test split", columns, records)


def tabulate_metrics(runs: Sequence[Run]) -> Table:
    """Every metric of teacher and student on both splits."""
    columns = (TASK, TEACHER, _SPLIT, _MODEL, _ACCURACY, *INTERVAL, *QUALITY)
    records = []
    for run in runs:
        teacher, student = asdict(run.summary.teacher_metrics), asdict(run.summary.metrics)
        ends = {} if run.summary.has_interval else dict.fromkeys(("accuracy_low", "accuracy_high"))
        for split in SPLITS:
            records.append(run.names | teacher[split] | {"split": split, "model": "teacher"})
            records.append(run.names | student[split] | ends | {"split": split, "model": "student"})
    return Table.build("metrics", "Teachers and students, both splits", columns, records)


def tabulate_seeds(runs: Sequence[Run]) -> Table:
    """Every metric of every seed on both splits."""
    columns = (TASK, TEACHER, _SPLIT, _SEED, _ACCURACY, *QUALITY)
    records = (
        run.names | asdict(getattr(seed, split)) | {"split": split, "seed": seed.seed}
        for run in runs
        for split in SPLITS
        for seed in run.summary.seeds
    )
    return Table.build("seeds", "Students, by seed", columns, records)


def tabulate_curves(runs: Sequence[Run]) -> Table:
    """The students' training, one row per seed and epoch."""
    records = (run.names | asdict(epoch) for run in runs for epoch in run.summary.curves)
    return Table.build("curves", "Students' training, by seed and epoch", (TASK, TEACHER, _SEED, *EPOCHS), records)


def tabulate_confusion(runs: Sequence[Run]) -> Table:
    """Test texts by model, true class and predicted class."""
    columns = (TASK, TEACHER, _MODEL, Column("true", "True class"), Column("predicted", "Predicted class"), _COUNT)
    records = (
        run.names | {"model": model, "true": true, "predicted": predicted, "count": count}
        for run in runs
        for model, matrix in asdict(run.summary.confusion).items()
        for true, row in zip(run.summary.labels, matrix, strict=True)
        for predicted, count in zip(run.summary.labels, row, strict=True)
    )
    return Table.build("confusion", "Confusion, test split", columns, records)


def tabulate_reliability(runs: Sequence[Run]) -> Table:
    """Mean confidence and accuracy in bins of confidence, test split."""
    columns = (TASK, TEACHER, _MODEL, Column("confidence", "Mean confidence", "fraction"), _ACCURACY, _COUNT)
    records = (
        run.names | {"model": model} | one
        for run in runs
        for model, bins in asdict(run.summary.reliability).items()
        for one in bins or ()
    )
    return Table.build("reliability", "Reliability, test split", columns, records)


def tabulate_surrogates(runs: Sequence[Run]) -> Table:
    """Each chosen seed's polynomial cut to several errors, where one lies beside the student."""
    columns = (
        *(TASK, TEACHER, Column("error", "Error asked for", "significant"), Column("terms", "Terms", "count")),
        *(Column("exact_terms", "Terms, exact", "count"), Column("bound", "Certified bound", "significant")),
        Column("labels_changed", "Test labels changed", "count"),
        Column("largest_error", "Largest error, test", "significant"),
    )
    records = (
        run.names | asdict(cut) | {"exact_terms": run.summary.surrogate.exact_terms}
        for run in runs
        if run.summary.surrogate is not None
        for cut in run.summary.surrogate.cuts
    )
    return Table.build("surrogates", "Circuits as polynomials, all classes", columns, records)
