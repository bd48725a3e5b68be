"""What the controls say, in sentences that follow from the numbers alone.

In: summaries.  Out: compare_controls, tabulate_verdicts, sampling_margin.  Imports: the standard library alone.

Two means differ here where their 95 % intervals over the seeds do not overlap: a stricter rule than a test at 5 %.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.report.columns import Column, Table
from pipeline.report.student_tables import CONTROLS
from pipeline.report.summary_checks import Summary, has_interval

_VERDICTS = ("better than", "not distinguishable from", "worse than")


def compare_controls(summary: Summary) -> str | None:
    """One sentence on the circuit with entanglement against each control; None where no control was trained."""
    controls = _list_controls(summary)
    if not controls:
        return None
    student = summary["metrics"]["test"]["student"]
    if not has_interval(summary):
        others = ", ".join(f"{CONTROLS[name]} {scores['accuracy']:.4f}" for name, scores in controls.items())
        circuit = f"circuit with entanglement {student['accuracy']:.4f}"
        return f"With one seed no difference can be claimed: {circuit}, {others}."
    groups: dict[str, list[str]] = {verdict: [] for verdict in _VERDICTS}
    for name, scores in controls.items():
        groups[_judge(student, scores)].append(f"the {CONTROLS[name]} ({_show(scores)})")
    parts = [f"{verdict} {_join(names)}" for verdict, names in groups.items() if names]
    return f"The circuit with entanglement ({_show(student)}) is {'; '.join(parts)}."


def tabulate_verdicts(summaries: Sequence[Summary]) -> Table:
    """Against each control: of how many students the circuit is better, not distinguishable, worse.

    Only students of several seeds are counted.
    """
    columns = (
        *(Column("control", "Control"), Column("better", "Circuit better", "count")),
        *(Column("same", "Not distinguishable", "count"), Column("worse", "Circuit worse", "count")),
    )
    verdicts: dict[str, list[str]] = {}
    for summary in filter(has_interval, summaries):
        for name, scores in _list_controls(summary).items():
            verdicts.setdefault(name, []).append(_judge(summary["metrics"]["test"]["student"], scores))
    records = (
        {"control": title}
        | {column.key: verdicts[name].count(verdict) for column, verdict in zip(columns[1:], _VERDICTS, strict=True)}
        for name, title in CONTROLS.items()
        if name in verdicts
    )
    return Table.build("verdicts", "The circuit against its controls, number of students", columns, records)


def sampling_margin(summary: Summary) -> tuple[int, float]:
    """Test texts, and the half width of the 95 % interval that drawing them puts around the student's accuracy."""
    texts = sum(sum(row) for row in summary["confusion"]["student"])
    accuracy = summary["metrics"]["test"]["student"]["accuracy"]
    return texts, 1.96 * (accuracy * (1 - accuracy) / texts) ** 0.5


def _list_controls(summary: Summary) -> dict[str, Mapping[str, Any]]:
    controls = summary.get("controls") or {}
    return {name: controls[name]["test"] for name in CONTROLS if name in controls}


def _judge(student: Mapping[str, Any], control: Mapping[str, Any]) -> str:
    if student["accuracy_low"] > control["accuracy_high"]:
        return _VERDICTS[0]
    return _VERDICTS[2] if student["accuracy_high"] < control["accuracy_low"] else _VERDICTS[1]


def _show(scores: Mapping[str, Any]) -> str:
    return f"{scores['accuracy']:.4f}, {scores['accuracy_low']:.4f} to {scores['accuracy_high']:.4f}"


def _join(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
