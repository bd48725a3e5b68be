"""A student's diagnosis as a picture: accuracy against shots and noise, gradient variance against qubits and layers.

In: the two tables of `qdllm diagnose`.  Out: draw_diagnosis() writes a PNG or an SVG.  Imports: matplotlib.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.report.svg import INK
from teacher_cache.publish import publish_file

Rows = Sequence[Mapping[str, Any]]
MARKERS = "osD^vP*X"


def draw_diagnosis(accuracy: Rows, gradients: Rows, path: Path) -> None:
    """Publish the figure as what the name's ending says: .png, 1,200 by 550 pixels, or .svg.

    Args:
        accuracy: rows of noise, shots, accuracy and deviation.
        gradients: rows of layers, qubits, first and last.
        path: the file.
    """
    kind = path.suffix.lstrip(".")
    with matplotlib.rc_context({"svg.hashsalt": "qdllm", "svg.fonttype": "none"}):
        figure = Figure(figsize=(12, 5.5), dpi=100, layout="constrained")
        left, right = figure.subplots(1, 2)
        _plot_accuracy(left, accuracy)
        _plot_gradients(right, gradients)
        for axes in (left, right):
            axes.grid(alpha=0.3)
            axes.spines[["top", "right"]].set_visible(False)
        with publish_file(path) as temporary:
            figure.savefig(temporary, format=kind, metadata={"Date": None} if kind == "svg" else {"Software": None})


def _plot_accuracy(axes: Axes, rows: Rows) -> None:
    """A line per noise level over the numbers of shots, which end with exact expectation values."""
    noises = list(dict.fromkeys(row["noise"] for row in rows))
    shots = [*sorted({row["shots"] for row in rows if row["shots"] is not None}), None]
    for index, noise in enumerate(noises):
        mine = sorted((row for row in rows if row["noise"] == noise), key=lambda row: shots.index(row["shots"]))
        # Side by side, or the bars of one place would hide each other.
        places = [shots.index(row["shots"]) + 0.06 * (index - (len(noises) - 1) / 2) for row in mine]
        axes.errorbar(
            places,
            [row["accuracy"] for row in mine],
            [row["deviation"] for row in mine],
            label=f"{noise:g}",
            color=_colour(index, len(noises)),
            marker=MARKERS[index % len(MARKERS)],
            markersize=5,
            linewidth=1.4,
            capsize=2,
        )
    axes.set_xticks(range(len(shots)), [str(count) if count else "exact" for count in shots])
    axes.set(xlabel="Shots per text", ylabel="Accuracy (share of test texts)")
    axes.set_title("Accuracy under finite shots and noise", loc="left")
    _place_legend(axes, "Error probability per gate and qubit", len(noises))


def _plot_gradients(axes: Axes, rows: Rows) -> None:
    depths = list(dict.fromkeys(row["layers"] for row in rows))
    for index, depth in enumerate(depths):
        mine = [row for row in rows if row["layers"] == depth]
        style: dict[str, Any] = {"color": _colour(index, len(depths)), "marker": MARKERS[index % len(MARKERS)]}
        for output, line in (("first", "-"), ("last", "--")):
            values = [row[output] for row in mine]
            axes.semilogy([row["qubits"] for row in mine], values, line, markersize=5, **style)
        axes.plot([], [], "-", label=str(depth), **style)
    for label, line in (("first qubit read", "-"), ("last", "--")):
        axes.plot([], [], line, color=INK, label=label)
    axes.set_xticks(sorted({row["qubits"] for row in rows}))
    axes.set(xlabel="Qubits", ylabel="Variance of d⟨Z⟩/dθ (1/rad²)")
    axes.set_title("Gradient variance at random angles", loc="left")
    _place_legend(axes, "Layers", len(depths) + 2)


def _place_legend(axes: Axes, title: str, entries: int) -> None:
    """Below the axes, where no curve can run under it."""
    axes.legend(
        title=title,
        frameon=False,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.13),
        ncols=min(6, entries),
        columnspacing=1,
    )


def _colour(index: int, count: int) -> Any:
    # Viridis without its palest end, which does not show on white.
    return matplotlib.colormaps["viridis"](0.85 * index / max(1, count - 1))
