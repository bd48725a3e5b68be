"""Figures 3 and 4 of the paper, redrawn with ours beside the paper's.

In: the tables `figure_3` and `figure_4`, narrowed to one task.  Out: draw_times, draw_related.  Imports: matplotlib.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import LogLocator, NullLocator

from pipeline.report.columns import Table
from pipeline.report.figures import MARKS, ROW, Figure, prepare_rows
from pipeline.report.svg import draw_svg

_AXES = {"distillation": "Seconds of an epoch", "inference": "Seconds for 1,000 texts"}
_STYLES = {"paper": MARKS["control"], "ours": MARKS["student"]}


def draw_times(name: str, title: str, table: Table) -> Figure:
    """Seconds of each method, one row each, on a logarithmic axis: of one task and one kind of time."""
    records = table.records()
    seconds = [record[side] for record in records for side in _STYLES if record[side] is not None]
    # A decade or two would have one tick or two.
    steps = (1, 2, 5) if max(seconds) < 50 * min(seconds) else (1,)

    def paint(canvas: Canvas) -> None:
        axes = prepare_rows(canvas, [record["method"] for record in records], _AXES[records[0]["time"]])
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=steps, numticks=6))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter("{x:g}")
        _plot_sides(axes, records)
        canvas.legend(loc="outside upper left", ncols=2)

    return Figure(name, title, _describe(records), draw_svg(name, 90 + ROW * len(records), paint), table)


def draw_related(name: str, title: str, table: Table) -> Figure:
    """Acc and F1 of each method, one row each; bars are the 95 % intervals over our seeds."""
    records = table.records()

    def paint(canvas: Canvas) -> None:
        names = [f"{record['method']}, {record['measure']}" for record in records]
        axes = prepare_rows(canvas, names, "Share of texts (Acc), mean over classes (F1)")
        for place, record in enumerate(records):
            if record["low"] is not None:
                axes.hlines(place, record["low"], record["high"], color=MARKS["student"]["color"], linewidth=2.4)
        _plot_sides(axes, records)
        canvas.legend(loc="outside upper left", ncols=2)

    return Figure(name, title, _describe(records), draw_svg(name, 90 + ROW * len(records), paint), table)


def _plot_sides(axes: Axes, records: Sequence[Mapping[str, Any]]) -> None:
    for side, style in _STYLES.items():
        known = [(record[side], place) for place, record in enumerate(records) if record[side] is not None]
        if known:
            values, places = zip(*known, strict=True)
            axes.plot(values, places, linestyle="none", label=side, **style)


def _describe(records: Sequence[Mapping[str, Any]]) -> str:
    """What the marks are, and which rows have one side alone."""
    lacking = [record["method"] for record in records if record["ours"] is None]
    parts = ["Diamonds: paper. Dots: ours, mean over the teachers."]
    if lacking:
        parts.append(f"Not run here: {', '.join(dict.fromkeys(lacking))}.")
    if all(record["paper"] is None for record in records):
        parts.append("The paper prints none of these numbers.")
    return " ".join(parts)
