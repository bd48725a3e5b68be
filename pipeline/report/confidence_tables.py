"""Tables of what a student's confidence is worth: calibration, abstaining, asking the teacher.

In: runs, or a Cascade.  Out: one function per table, sum_up_cascade(), compare_costs(), SENDING.
Imports: pipeline.evaluation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pipeline.evaluation.confidence import Cascade
from pipeline.report.columns import TASK, TEACHER, Column, Table
from pipeline.report.runs import Record, Run

SENDING = (
    *(Column("planned", "Planned on validation", "fraction"), Column("sent", "Sent to the teacher", "fraction")),
    *(Column("threshold", "Confidence below", "fraction"), Column("accuracy", "Accuracy", "fraction")),
    Column("accuracy_low", "95\N{NO-BREAK SPACE}%\N{NO-BREAK SPACE}low", "fraction"),
    Column("accuracy_high", "95\N{NO-BREAK SPACE}%\N{NO-BREAK SPACE}high", "fraction"),
    Column("random", "Sent at random", "fraction"),
)


def tabulate_calibration(runs: Sequence[Run]) -> Table:
    """One row per task and teacher: the chosen seed before and after its temperature, test split."""
    columns = (
        *(TASK, TEACHER, Column("temperature", "Temperature", "significant"), Column("labels", "Fitted on", "count")),
        *(Column("ece", "ECE before", "fraction"), Column("ece_calibrated", "ECE after", "fraction")),
        *(Column("nll", "NLL before (nats)", "nats"), Column("nll_calibrated", "NLL after (nats)", "nats")),
        Column("coverage_area", "Risk-coverage area", "fraction"),
    )
    return Table.build("calibration", "Calibration of the chosen seeds, test split", columns, map(_calibrate, runs))


def tabulate_coverage(runs: Sequence[Run]) -> Table:
    """Accuracy on the surest test texts, by their share."""
    columns = (
        *(TASK, TEACHER, Column("coverage", "Answered", "fraction")),
        *(Column("confidence", "Least confidence", "fraction"), Column("accuracy", "Accuracy of these", "fraction")),
    )
    records = (run.names | asdict(step) for run in runs for step in run.summary.coverage)
    return Table.build("coverage", "Accuracy of the surest texts, test split", columns, records)


def tabulate_cascade(runs: Sequence[Run]) -> Table:
    """Accuracy by the part of texts that goes to the teacher, and what that costs beside asking it of every text."""
    records = (
        run.names | {"cost": weigh_cost(step.sent, compare_costs(run))} | asdict(step)
        for run in runs
        for step in run.summary.cascade.curve
    )
    columns = (TASK, TEACHER, *SENDING, Column("cost", "Cost, teacher alone = 1", "fraction"))
    return Table.build("cascade", "Student first, the teacher where it is unsure, test split", columns, records)


def compare_costs(run: Run) -> float | None:
    """How many texts the student scores in the time that the teacher takes for one; None without records.

    The teacher's time is that of its capture, its start included; the student's is from features on.
    """
    capture, rows = run.find_record("cache_teacher"), run.card["rows"] if run.card else None
    own = run.summary.inference_seconds / run.summary.inference_texts
    return capture["seconds"] / rows / own if capture and rows and own > 0 else None


def weigh_cost(sent: float, ratio: float | None) -> float | None:
    """What student and teacher cost together where the teacher alone costs 1 and a student's text 1 / `ratio`."""
    return None if ratio is None else sent + 1 / ratio


def sum_up_cascade(cascade: Cascade, ratio: float | None) -> str:
    """What part of the texts must go to the teacher for its accuracy, in words, and what comes of it on test."""
    found = cascade.matching
    ends = cascade.difference, cascade.difference_low, cascade.difference_high
    points = "{:+.1f} points against the teacher ({:+.1f} to {:+.1f})".format(*(100 * end for end in ends))
    alone = (
        f"Alone, the student is right on {cascade.student:.1%} of the test texts, the teacher on {cascade.teacher:.1%}."
    )
    if found.planned == 0:
        return f"{alone} On validation the student is as good with no text sent; on test it has {points}."
    whose = "every text" if found.threshold is None else f"texts of a confidence below {found.threshold:.3f}"
    cost = weigh_cost(found.sent, ratio)
    paid = "" if cost is None else f", for {cost:.2f} of what asking it of every text costs"
    return (
        f"{alone} To reach the teacher on validation, {whose} must go there: on test that sends {found.sent:.1%}, and "
        f"{found.accuracy:.1%} are right ({found.accuracy_low:.1%} to {found.accuracy_high:.1%}), {points}{paid}. "
        f"As many sent at random give {found.random:.1%}."
    )


def _calibrate(run: Run) -> Mapping[str, Any]:
    summary = run.summary
    before: Record = {"ece": summary.chosen.test.ece, "nll": summary.chosen.test.nll}
    found = run.names | before | {"coverage_area": summary.coverage_area}
    if summary.calibrated is None:
        return found
    after = {f"{name}_calibrated": value for name, value in asdict(summary.calibrated.test).items()}
    return found | after | {"temperature": summary.calibrated.temperature, "labels": summary.calibrated.labels}
