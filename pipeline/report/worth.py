"""What the teacher was worth: labels alone, the student with its teacher, the teacher, all labels.

In: runs.  Out: Worth, measure_worth(), tabulate_worth(), sum_up_worth().  Imports: pipeline.evaluation.

Every number is of the test split and of the seed that validation chose. The gain is the student's accuracy less that of
the comparator `labels_alone`, on the same texts.
"""

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.evaluation.metrics import Interval, adjust_p_values, bootstrap_difference
from pipeline.evaluation.summary import Scores
from pipeline.report.columns import TASK, TEACHER, Column, Table
from pipeline.report.paired_tests import LEVEL_OF_TEST
from pipeline.report.runs import Record, Run

LABELS_ALONE, ALL_LABELS = "labels_alone", "all_labels"


class Worth(NamedTuple):
    """One task and teacher; None for what was not trained.

    `gain` has the ends of its 95 % interval over the choice of test texts, `p_value` is McNemar's.
    """

    teacher: Scores
    student: Scores
    labels_alone: Scores | None
    all_labels: Scores | None
    gain: Interval | None
    p_value: float | None


def measure_worth(run: Run) -> Worth:
    """The four models of one run, and the gain."""
    test = run.tests.get(LABELS_ALONE)
    alone, complete = (run.comparisons.get(name) for name in (LABELS_ALONE, ALL_LABELS))
    return Worth(
        teacher=run.summary.teacher_metrics.test,
        student=run.summary.chosen.test,
        labels_alone=None if alone is None else alone.chosen.test,
        all_labels=None if complete is None else complete.chosen.test,
        gain=None if test is None else bootstrap_difference(test, run.texts),
        p_value=None if test is None else test.p_value,
    )


def tabulate_worth(runs: Sequence[Run]) -> Table:
    """One row per task and teacher; p is adjusted for all rows that have one."""
    columns = (
        *(TASK, TEACHER, Column(LABELS_ALONE, "Labels alone", "fraction")),
        *(Column("student", "With the teacher", "fraction"), Column("teacher_accuracy", "The teacher", "fraction")),
        *(Column(ALL_LABELS, "All labels", "fraction"), Column("gain", "Gain", "difference")),
        Column("gain_low", "95\N{NO-BREAK SPACE}%\N{NO-BREAK SPACE}low", "difference"),
        Column("gain_high", "95\N{NO-BREAK SPACE}%\N{NO-BREAK SPACE}high", "difference"),
        *(Column("p_adjusted", "p (Holm)", "significant"), Column("p_value", "p (McNemar)", "significant")),
        *(Column("labelled", "Labels trained on", "count"), Column("pool", "Pool texts", "count")),
        # Of a task whose teachers have no answer to some texts, as many as this teacher answered.
        Column("tested", "Test texts", "count"),
    )
    records = [_list_row(run, measure_worth(run)) for run in runs]
    tested = [record for record in records if record["p_value"] is not None]
    for record, adjusted in zip(tested, adjust_p_values([one["p_value"] for one in tested]), strict=True):
        record["p_adjusted"] = adjusted
    return Table.build(
        "worth", "What the teacher was worth: accuracy of the chosen seeds, test split", columns, records
    )


def sum_up_worth(worth: Table) -> str:
    """One sentence on how many students gained by their teacher."""
    tested = [record for record in worth.records() if record["p_adjusted"] is not None]
    if not tested:
        return (
            "Nothing was trained on the labels alone, so what the teachers were worth cannot be said: name "
            "labels_alone under comparators in params.yaml."
        )
    shown = [record["gain"] > 0 for record in tested if record["p_adjusted"] < LEVEL_OF_TEST]
    return (
        f"Of {len(tested)} student{'s' if len(tested) != 1 else ''} {sum(shown)} gained by learning from a teacher, "
        f"{len(shown) - sum(shown)} lost; of {len(tested) - len(shown)} the test shows no difference."
        + _name_fewer(worth.records())
    )


def _name_fewer(records: Sequence[Record]) -> str:
    """Whose numbers are of fewer test texts than another teacher's of the task: some have no answer of its."""
    most = {one["task"]: max(other["tested"] for other in records if other["task"] == one["task"]) for one in records}
    return "".join(
        f" {one['task']}, {one['teacher']}: of {one['tested']:,} test texts alone, others of {most[one['task']]:,}."
        for one in records
        if one["tested"] < most[one["task"]]
    )


def _list_row(run: Run, worth: Worth) -> Record:
    gain = worth.gain
    return run.names | {
        "labelled": run.summary.trained_on.labelled,
        "pool": run.summary.trained_on.pool,
        "tested": run.texts,
        "teacher_accuracy": worth.teacher.accuracy,
        "student": worth.student.accuracy,
        LABELS_ALONE: worth.labels_alone and worth.labels_alone.accuracy,
        ALL_LABELS: worth.all_labels and worth.all_labels.accuracy,
        "gain": gain and gain.mean,
        "gain_low": gain and gain.low,
        "gain_high": gain and gain.high,
        "p_value": worth.p_value,
    }
