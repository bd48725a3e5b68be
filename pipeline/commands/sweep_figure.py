"""A sweep as a picture: validation accuracy against each hyperparameter that was varied.

In: the rows of the sweep's table.  Out: draw_sweep() writes a PNG.  Imports: matplotlib.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.report.svg import COMPARATOR, INK, STUDENT, TEACHER
from teacher_cache.publish import publish_file

Rows = Sequence[Mapping[str, Any]]
# Where values differ by this factor they stand on a logarithmic axis.
LOGARITHMIC = 8
UNITS = {
    "learning_rate": "Learning rate (1/step)",
    "l2": "L2 penalty",
    "weight_decay": "Weight decay (1/step)",
    "clip_norm": "Gradient norm at most",
    "batch_size": "Batch size (texts)",
    "epochs": "Epochs",
    "patience": "Patience (epochs)",
    "seeds": "Seeds",
    "encoding_scale": "Encoding scale (rad)",
    "angle_scale": "Angle scale (rad)",
    "circuit.qubits": "Qubits",
    "circuit.layers": "Layers",
    "loss.temperature": "Temperature",
}
COLOURS = (STUDENT, TEACHER, COMPARATOR, "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
MARKERS = "osD^vP*X"
COLUMNS = 3
# More values than this get the axis's own ticks.
MAX_TICKS = 6


def draw_sweep(rows: Rows, best: int, path: Path) -> None:
    """Publish a PNG with a panel for each key of several values: a dot per setting, a line through each value's mean.

    Args:
        rows: of the sweep's table, the keys that were set between `setting` and `validation_accuracy`.
        best: the setting that gets a ring.
        path: the file.
    """
    names = list(rows[0])
    varied = names[names.index("setting") + 1 : names.index("validation_accuracy")]
    keys = [key for key in varied if len({row[key] for row in rows}) > 1] or ["setting"]
    pairs: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        if not row["problem"]:
            pairs.setdefault((row["task"], row["teacher"]), []).append(row)
    columns = min(COLUMNS, len(keys))
    lines = -(-len(keys) // columns)
    figure = Figure(figsize=(1 + 4.2 * columns, 0.9 + 3.4 * lines), dpi=110, layout="constrained")
    panels = figure.subplots(lines, columns, sharey=True, squeeze=False).ravel()
    for axes, key in zip(panels, keys, strict=False):
        _plot_key(axes, key, pairs, best)
    for axes in panels[len(keys) :]:
        axes.remove()
    for axes in panels[::columns]:
        axes.set_ylabel("Validation accuracy (share of texts)")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=min(len(labels), 2 * columns), frameon=False)
    with publish_file(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})


def _plot_key(axes: Axes, key: str, pairs: Mapping[tuple[str, str], Rows], best: int) -> None:
    texts = list(dict.fromkeys(str(row[key]) for own in pairs.values() for row in own))
    numbers = _read_numbers(texts)
    place = numbers or {text: float(at) for at, text in enumerate(texts)}
    for index, (pair, own) in enumerate(pairs.items()):
        style: dict[str, Any] = {
            "color": COLOURS[index % len(COLOURS)],
            "marker": MARKERS[index % len(MARKERS)],
            "linestyle": "none",
        }
        at = [place[str(row[key])] for row in own]
        axes.plot(at, [row["validation_accuracy"] for row in own], alpha=0.45, markersize=5, **style)
        values: dict[Any, list[float]] = {}
        for where, row in zip(at, own, strict=True):
            values.setdefault(where, []).append(row["validation_accuracy"])
        means = sorted((where, sum(found) / len(found)) for where, found in values.items())
        line = style | {"linestyle": "-" if numbers else "none"}
        axes.plot(*zip(*means, strict=True), **line, label=" · ".join(pair))
        (chosen,) = [row for row in own if row["setting"] == best]
        ring: dict[str, Any] = {"markersize": 12, "markerfacecolor": "none", "markeredgecolor": INK}
        label = "best on validation" if index == len(pairs) - 1 else None
        axes.plot(
            place[str(chosen[key])], chosen["validation_accuracy"], marker="o", **ring, linestyle="none", label=label
        )
    if numbers and min(numbers.values()) > 0 and max(numbers.values()) >= LOGARITHMIC * min(numbers.values()):
        axes.set_xscale("log")
    if not numbers or len(texts) <= MAX_TICKS:
        axes.set_xticks(list(place.values()), list(place))
        axes.minorticks_off()
    axes.margins(x=0.08 if numbers else 0.5 / len(texts))
    name = key.removeprefix("student.")
    axes.set_xlabel(UNITS.get(name, name))
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def _read_numbers(texts: Sequence[str]) -> dict[str, float] | None:
    """Each text's number; None where one of them is no number."""
    try:
        return {text: float(text) for text in texts}
    except ValueError:
        return None
