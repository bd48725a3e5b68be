"""The report's figures, each drawn from the very table that a reader can download with it.

In: tables, already narrowed to what a figure shows.  Out: Figure, one function per figure.
Imports: matplotlib, NumPy.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from pipeline.report.columns import Table
from pipeline.report.paired_tests import name_comparator
from pipeline.report.svg import COMPARATOR, INK, STUDENT, SURFACE, TEACHER, draw_svg

_MARKS: dict[str, dict[str, Any]] = {
    "teacher": {"color": TEACHER, "marker": "s", "markerfacecolor": SURFACE, "markeredgewidth": 1.6},
    "student": {"color": STUDENT, "marker": "o"},
    "calibrated": {"color": STUDENT, "marker": "^", "linestyle": "--", "markerfacecolor": SURFACE},
    "comparator": {"color": COMPARATOR, "marker": "D", "markersize": 5},
    "bound": {"color": INK, "marker": "|", "markersize": 12, "markeredgewidth": 1.6},
}
_NAMES = {"calibrated": "student calibrated"}
Rows = Sequence[Mapping[str, Any]]
_LONGEST_NAME = 46  # letters that fit into a figure's width; the table has the whole name
_ROW = 42  # height of one row of dots and of the name above it


@dataclass(frozen=True)
class Figure:
    """A drawing for the page; `name` is unique on it, `description` says in words what it shows."""

    name: str
    title: str
    description: str
    svg: str
    table: Table


def draw_worth(name: str, title: str, table: Table) -> Figure:
    """What each teacher was worth, one row per task and teacher, of a `worth` table."""
    records = table.records()
    models = {"labels_alone": "comparator", "student": "student", "teacher_accuracy": "teacher", "all_labels": "bound"}
    labels = ("labels alone", "with the teacher", "the teacher", "all labels")

    def paint(canvas: Canvas) -> None:
        axes = _prepare_rows(canvas, [f"{record['task']} · {record['teacher']}" for record in records])
        for place, record in enumerate(records):
            if record["labels_alone"] is not None:
                axes.hlines(place, record["labels_alone"], record["student"], color=STUDENT, linewidth=2.4)
        for (key, style), label in zip(models.items(), labels, strict=True):
            known = [(record[key], place) for place, record in enumerate(records) if record[key] is not None]
            if known:
                axes.plot(*zip(*known, strict=True), linestyle="none", label=label, **_MARKS[style])
        canvas.legend(loc="outside upper left", ncols=2)

    description = (
        "The line is the gain: from the student of the labels alone to the student that learned from the teacher."
    )
    return Figure(name, title, description, draw_svg(name, 108 + _ROW * len(records), paint), table)


def draw_accuracy(name: str, title: str, table: Table) -> Figure:
    """Accuracy of teacher and student, one row per task and teacher, of a `metrics` table of one split."""
    records = table.records()
    pairs = list(dict.fromkeys((record["task"], record["teacher"]) for record in records))

    def paint(canvas: Canvas) -> None:
        axes = _prepare_rows(canvas, [f"{task} · {teacher}" for task, teacher in pairs])
        for model in ("teacher", "student"):
            rows = [record for record in records if record["model"] == model]
            places = [pairs.index((record["task"], record["teacher"])) for record in rows]
            _plot_dots(axes, rows, places, model, model)
        canvas.legend(loc="outside upper left", ncols=2)

    description = (
        "Squares: teacher. Dots: student, mean over its seeds; the bar is the 95 % interval of that mean, where there "
        "are several seeds."
    )
    return Figure(name, title, description, draw_svg(name, 90 + _ROW * len(pairs), paint), table)


def draw_comparators(name: str, title: str, table: Table) -> Figure:
    """Accuracy of the student and of its comparators, of a `comparators` table of one task and teacher."""
    records = table.records()

    def paint(canvas: Canvas) -> None:
        axes = _prepare_rows(canvas, [name_comparator(record["comparator"]) for record in records])
        student = records[0]
        if student["accuracy_low"] is not None:
            axes.axvspan(student["accuracy_low"], student["accuracy_high"], color=STUDENT, alpha=0.14, linewidth=0)
        for place, record in enumerate(records):
            _plot_dots(axes, [record], [place], "student" if record is student else "comparator")

    description = (
        "Dots: mean over the seeds; bars: 95 % intervals of the means, where there are several seeds. "
        "The band is the student's interval. Verdicts are those of the paired test, not of these bars."
    )
    return Figure(name, title, description, draw_svg(name, 64 + _ROW * len(records), paint), table)


def draw_training(name: str, title: str, table: Table, best_epoch: int | None = None) -> Figure:
    """Loss and validation accuracy by epoch: each seed thin, their mean thick; a teacher's table has no seeds."""
    seeds: dict[Any, list[dict[str, Any]]] = {}
    for record in table.records():
        seeds.setdefault(record.get("seed"), []).append(record)
    colour = TEACHER if best_epoch is not None else STUDENT

    def paint(canvas: Canvas) -> None:
        loss, accuracy = canvas.subplots(2, sharex=True, height_ratios=(3, 2))
        _plot_epochs(loss, seeds, "train_loss", "training", color=COMPARATOR, linestyle="--")
        _plot_epochs(loss, seeds, "validation_loss", "validation", color=colour)
        _plot_epochs(accuracy, seeds, "validation_accuracy", None, color=colour)
        if best_epoch is not None:
            for axes in (loss, accuracy):
                axes.axvline(best_epoch, color=INK, linestyle=":", linewidth=1.2)
        loss.set_ylabel("Loss (nats)")
        accuracy.set_ylabel("Accuracy\n(validation)")
        accuracy.set_xlabel("Epoch")
        accuracy.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        canvas.legend(loc="outside upper left", ncols=2)

    return Figure(name, title, _describe_training(seeds, best_epoch), draw_svg(name, 320, paint), table)


def draw_reliability(name: str, title: str, table: Table, errors: Mapping[str, float]) -> Figure:
    """Accuracy against confidence above, share of the texts below, of a `reliability` table of one task and teacher.

    `errors` holds the expected calibration error of each model that is drawn, for the description.
    """
    records = table.records()

    def paint(canvas: Canvas) -> None:
        calibration, share = canvas.subplots(2, sharex=True, height_ratios=(3, 1))
        low = min(min(record["confidence"], record["accuracy"]) for record in records)
        calibration.plot([low, 1], [low, 1], color=INK, linestyle=":", linewidth=1.2, label="as right as sure")
        for model in errors:
            rows = [record for record in records if record["model"] == model]
            confidence, counts = [row["confidence"] for row in rows], np.array([row["count"] for row in rows])
            style = _MARKS[model] | {"linewidth": 1.2, "markersize": 5}
            calibration.plot(confidence, [row["accuracy"] for row in rows], label=_NAMES.get(model, model), **style)
            share.plot(confidence, counts / counts.sum(), **style)
        calibration.set_ylabel("Accuracy")
        share.set_ylabel("Share\nof texts")
        share.set_ylim(bottom=0)
        share.set_xlabel("Confidence (probability of the predicted class)")
        canvas.legend(loc="outside upper left", ncols=2)

    described = ", ".join(f"{_NAMES.get(model, model)} {error:.4f}" for model, error in errors.items())
    description = f"Below the dotted line a model is too sure of itself. Expected calibration error: {described}."
    return Figure(name, title, description, draw_svg(name, 360, paint), table)


def draw_terms(name: str, title: str, table: Table) -> Figure:
    """How many terms of a circuit's polynomial are left for an error, of one pair's `surrogates` table."""
    records = table.records()
    exact = records[0]["exact_terms"]

    def paint(canvas: Canvas) -> None:
        axes = canvas.subplots()
        axes.axhline(exact, color=INK, linestyle=":", linewidth=1.2)
        for key, label, style in (
            ("largest_error", "largest on test texts", _MARKS["comparator"] | {"linestyle": "--"}),
            ("bound", "certified, any text", _MARKS["student"]),
        ):
            known = [(row[key], row["terms"]) for row in records if row[key] > 0 and row["terms"]]
            axes.plot([error for error, _ in known], [terms for _, terms in known], label=label, **style)
        axes.set_xscale("log")
        axes.set_yscale("log")
        for axis, shown in ((axes.xaxis, "g"), (axes.yaxis, ",g")):  # 0.001 and 10,000: the page sets no powers
            axis.set_major_locator(LogLocator(numticks=5))
            axis.set_major_formatter(partial(_format_tick, shown))
            axis.set_minor_formatter(NullFormatter())
        axes.set_xlabel("Error of a probability")
        axes.set_ylabel("Terms, all classes")
        canvas.legend(loc="outside upper left", ncols=2)

    description = (
        f"Dots: no text can be off by more. Diamonds: the test text that is off by most. Dotted: all {exact:,} terms, "
        "with which the polynomial is the circuit."
    )
    return Figure(name, title, description, draw_svg(name, 300, paint), table)


def draw_lengths(name: str, title: str, table: Table, median: float) -> Figure:
    """Histogram of the texts' lengths, of a `lengths` table of one task."""
    records = table.records()

    def paint(canvas: Canvas) -> None:
        axes = canvas.subplots()
        edges = [*(record["from_words"] for record in records), records[-1]["to_words"]]
        axes.stairs([record["count"] for record in records], edges, fill=True, color=STUDENT, alpha=0.55)
        axes.axvline(median, color=INK, linestyle=":", linewidth=1.2)
        axes.set_xlabel("Length (words)")
        axes.set_ylabel("Texts")

    description = f"Dotted: the median, {median:g} words."
    return Figure(name, title, description, draw_svg(name, 200, paint, width=300), table)


def _prepare_rows(canvas: Canvas, names: Sequence[str]) -> Axes:
    """Axes with one row per name, the name above the row, so that long names cost no width on a phone."""
    axes = canvas.subplots()
    for place, row_name in enumerate(names):
        shown = (
            row_name if len(row_name) <= _LONGEST_NAME else f"{row_name[: _LONGEST_NAME - 1]}\N{HORIZONTAL ELLIPSIS}"
        )
        axes.text(0, place - 0.42, shown, transform=axes.get_yaxis_transform(), va="center", in_layout=False)
        axes.axhline(place, color=INK, alpha=0.15, linewidth=0.8)
    axes.set_ylim(len(names) - 0.5, -0.75)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("Accuracy (share of texts)")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6))
    axes.margins(x=0.08)
    return axes


def _plot_dots(axes: Axes, rows: Rows, places: Sequence[int], style: str, label: str = "") -> None:
    for row, place in zip(rows, places, strict=True):
        if row["accuracy_low"] is not None:
            axes.hlines(place, row["accuracy_low"], row["accuracy_high"], color=_MARKS[style]["color"], linewidth=2.4)
    axes.plot([row["accuracy"] for row in rows], places, linestyle="none", label=label, **_MARKS[style])


def _format_tick(shown: str, value: float, _: int) -> str:
    return format(value, shown)


def _plot_epochs(axes: Axes, seeds: Mapping[Any, Rows], key: str, label: str | None, **style: Any) -> None:
    """Each seed's curve and, from two seeds on, their mean over those seeds that reached the epoch."""
    by_epoch: dict[int, list[float]] = {}
    for rows in seeds.values():
        known = [(row["epoch"], row[key]) for row in rows if row[key] is not None]
        for epoch, value in known:
            by_epoch.setdefault(epoch, []).append(value)
        if len(seeds) > 1:
            axes.plot(*zip(*known, strict=True), **style | {"linewidth": 0.8, "alpha": 0.45})
    epochs = sorted(by_epoch)
    axes.plot(epochs, [np.mean(by_epoch[epoch]) for epoch in epochs], label=label, marker=".", **style)


def _describe_training(seeds: Mapping[Any, Rows], best_epoch: int | None) -> str:
    if best_epoch is None:
        lines = f"Thick: mean of {len(seeds)} seeds; thin: each seed." if len(seeds) > 1 else "One seed."
        kept = [min(rows, key=lambda row: row["validation_loss"])["validation_accuracy"] for rows in seeds.values()]
        return f"{lines} Validation accuracy of the epochs that were kept: {np.mean(kept):.4f}."
    best = next(row["validation_accuracy"] for rows in seeds.values() for row in rows if row["epoch"] == best_epoch)
    return f"Dotted: the epoch that was kept, {best_epoch}, with a validation accuracy of {best:.4f}."
