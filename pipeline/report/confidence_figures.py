"""Two figures of what a student's confidence is worth: abstaining, and asking the teacher.

In: tables, already narrowed to one task and teacher, and what they are summed up by.
Out: draw_coverage(), draw_cascade().  Imports: matplotlib.
"""

from typing import Any

from matplotlib.figure import Figure as Canvas

from pipeline.evaluation.confidence import Cascade
from pipeline.report.columns import Table
from pipeline.report.figures import Figure
from pipeline.report.svg import COMPARATOR, INK, STUDENT, SURFACE, TEACHER, draw_svg

_DASHED = (0, (4, 3))
_CHOSEN: Any = {
    "linestyle": "none",
    "marker": "D",
    "markersize": 9,
    "color": STUDENT,
    "markerfacecolor": SURFACE,
    "markeredgewidth": 1.8,
}


def draw_coverage(name: str, title: str, table: Table, area: float) -> Figure:
    """Accuracy of the surest texts against their share; `area` is that under the curve of their error."""
    records = table.records()

    def paint(canvas: Canvas) -> None:
        axes = canvas.subplots()
        shares = [record["coverage"] for record in records]
        axes.plot(shares, [record["accuracy"] for record in records], color=STUDENT, marker="o", markersize=4)
        axes.axhline(records[-1]["accuracy"], color=INK, linestyle=":", linewidth=1.2)
        axes.set_xlabel("Answered, surest first (share of texts)")
        axes.set_ylabel("Accuracy of these")
        axes.set_xlim(0, 1.02)

    description = f"Dotted: all texts answered. Area under the curve of risk (1 less accuracy): {area:.4f}."
    return Figure(name, title, description, draw_svg(name, 240, paint), table)


def draw_cascade(name: str, title: str, table: Table, cascade: Cascade) -> Figure:
    """Accuracy against the part of texts sent to the teacher, beside sending at random and the teacher alone."""
    records = table.records()

    def paint(canvas: Canvas) -> None:
        axes = canvas.subplots()
        parts = [record["sent"] for record in records]
        low, high = ([record[end] for record in records] for end in ("accuracy_low", "accuracy_high"))
        axes.fill_between(parts, low, high, color=STUDENT, alpha=0.14, linewidth=0)
        axes.plot([0, 1], [cascade.student, cascade.teacher], color=COMPARATOR, linestyle=_DASHED, label="at random")
        axes.axhline(cascade.teacher, color=TEACHER, linestyle=":", linewidth=1.4, label="teacher alone")
        accuracy = [record["accuracy"] for record in records]
        axes.plot(parts, accuracy, color=STUDENT, marker="o", markersize=4, label="least sure first")
        found = cascade.matching
        axes.plot([found.sent], [found.accuracy], label="chosen on validation", **_CHOSEN)
        axes.set_xlabel("Sent to the teacher (share of texts)")
        axes.set_ylabel("Accuracy")
        axes.set_xlim(-0.03, 1.03)
        canvas.legend(loc="outside upper left", ncols=2)

    description = "The band is the 95 % interval over the choice of test texts; thresholds are those of validation."
    return Figure(name, title, description, draw_svg(name, 300, paint), table)
