"""The circuit as a picture or as text, gates that change no output marked.

In: CircuitConfig, number of classes.  Out: draw_circuit(), render_text().
Imports: matplotlib where a picture is drawn.
"""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from student_jax.circuit.gates import list_gates, repeated_arrays
from student_jax.circuit.lightcone import find_live_gates
from student_jax.circuit.notation import measured_wires
from student_jax.config import CircuitConfig
from teacher_cache.errors import UserError
from teacher_cache.publish import publish_file

LIVE, DEAD = "#1f3a5f", "#b4bbc6"
COLUMN_INCHES, ROW_INCHES, LETTER_INCHES = 0.34, 0.36, 0.085
_NAMES = {"RZZ": "ZZ", "CNOT": "CX"}
WIDTHS = {"RX": 1.7, "RY": 1.7, "RZ": 1.7, "ZZ": 0.8, "CX": 0.55, "M": 1.5}


class Symbol(NamedTuple):
    """A gate, or what belongs together in one box: `kind` of WIDTHS, its qubits, whether it changes any output.

    `repeated` where it stands for three equal rotations in a row.
    """

    kind: str
    qubits: tuple[int, ...]
    live: bool
    repeated: bool = False


def draw_circuit(circuit: CircuitConfig, classes: int, path: Path) -> None:
    """Publish a drawing of the circuit; the name's ending says what: .svg, .png or .txt.

    Raises:
        UserError: another ending, or more classes than `first` can read.
    """
    kind = path.suffix.lstrip(".")
    if kind not in {"svg", "png", "txt"}:
        raise UserError(f"a drawing's name must end in .svg, .png or .txt, got {path.name}")
    columns = list(_columns(circuit, classes))
    with publish_file(path) as temporary:
        if kind == "txt":
            temporary.write_text(render_text(circuit, classes), encoding="utf-8")
        else:
            _save_picture(columns, circuit, temporary, kind)


def render_text(circuit: CircuitConfig, classes: int, width: int | None = None) -> str:
    """The circuit as text, a line per qubit, cut into blocks where it is wider than `width` characters.

    Dead gates are in small letters, or hollow.
    """
    names = [f"q{qubit:<2}" for qubit in range(circuit.qubits)]
    blocks = [names]
    for column in _columns(circuit, classes):
        cells = _render_column(column, circuit.qubits)
        if width is not None and len(blocks[-1][0]) + 1 + len(cells[0]) > width and blocks[-1] is not names:
            blocks.append(names)
        blocks[-1] = [f"{line}─{cell}" for line, cell in zip(blocks[-1], cells, strict=True)]
    legend = "■ RZZ  ● ⊕ CX  M measured;  rx ry rz □ ○ change no output"
    return "\n\n".join("\n".join(lines) for lines in [*blocks, textwrap.wrap(legend, width or 120)]) + "\n"


def _render_column(column: list[Symbol], qubits: int) -> list[str]:
    """What stands on each qubit's line, all of one width."""
    marks = {"ZZ": ("■", "■", "□"), "CX": ("●", "⊕", "○")}
    cells = ["─" * (1 if column[0].kind in marks else 2)] * qubits
    for gate in column:
        if gate.kind in marks:
            first, second, dead = marks[gate.kind]
            low, high = sorted(gate.qubits)
            cells[low + 1 : high] = ["┼"] * (high - low - 1)
            cells[gate.qubits[0]] = first if gate.live else dead
            cells[gate.qubits[1]] = second if gate.live else dead
        else:
            name = f"{gate.kind:─<2}"
            cells[gate.qubits[0]] = name if gate.live else name.lower()
    return cells


def _columns(circuit: CircuitConfig, classes: int) -> Iterator[list[Symbol]]:
    """The circuit from left to right; gates of one column neither share a qubit nor cross each other's lines."""
    tied = replace(circuit, rotations="tied")
    repeated = repeated_arrays(circuit) if circuit.rotations == "triple" else []
    symbols = [
        Symbol(
            _NAMES.get(gate.kind, gate.kind),
            gate.wires,
            live,
            gate.parameter is not None and gate.parameter.array in repeated,
        )
        for gate, live in zip(list_gates(tied), find_live_gates(tied, classes), strict=True)
    ]
    for kind, run in groupby(symbols, key=lambda symbol: symbol.kind):
        yield from _place(list(run), commute=kind != "CX")
    yield [Symbol("M", (wire,), True) for wire in measured_wires(circuit, classes)]


def _place(run: Sequence[Symbol], commute: bool) -> list[list[Symbol]]:
    """Gates of one kind in the first column that has room; where they do not commute, behind all that they touch."""
    columns: list[list[Symbol]] = []
    for symbol in run:
        taken = [k for k, column in enumerate(columns) if any(_overlap(symbol, other) for other in column)]
        free = [k for k in range(len(columns) + 1) if k not in taken] if commute else [max(taken, default=-1) + 1]
        if free[0] == len(columns):
            columns.append([])
        columns[free[0]].append(symbol)
    return columns


def _overlap(one: Symbol, other: Symbol) -> bool:
    return max(min(one.qubits), min(other.qubits)) <= min(max(one.qubits), max(other.qubits))


def _save_picture(columns: list[list[Symbol]], circuit: CircuitConfig, path: Path, kind: str) -> None:
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    width = sum(WIDTHS[column[0].kind] for column in columns) + 1.5
    caption = textwrap.wrap(_caption(circuit), int(width * COLUMN_INCHES / LETTER_INCHES))
    bottom = circuit.qubits + 0.3 + 0.6 * len(caption)
    size = (width * COLUMN_INCHES, (bottom + 0.7) * ROW_INCHES)
    with rc_context({"svg.hashsalt": "qdllm", "svg.fonttype": "none"}):
        figure = Figure(figsize=size)
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(-1.2, width - 1.2), ylim=(bottom, -0.7))
        axes.axis("off")
        axes.hlines(range(circuit.qubits), -0.3, width - 1.7, color="#9aa3ae", linewidth=0.7, zorder=0)
        for qubit in range(circuit.qubits):
            axes.text(-0.45, qubit, f"$q_{{{qubit}}}$", ha="right", va="center", fontsize=9)
        left = 0.0
        for column in columns:
            middle = left + WIDTHS[column[0].kind] / 2
            for gate in column:
                _draw_gate(axes, gate, middle)
            left += WIDTHS[column[0].kind]
        axes.text(-0.3, circuit.qubits, "\n".join(caption), fontsize=9, va="top", color="#333333")
        figure.savefig(path, format=kind, dpi=160, metadata={"Date": None} if kind == "svg" else {"Software": None})


def _draw_gate(axes: Any, gate: Symbol, x: float) -> None:
    color = LIVE if gate.live else DEAD
    if len(gate.qubits) == 1:
        repeats = "³" if gate.repeated else ""
        box = {"boxstyle": "square,pad=0.28", "facecolor": "white", "edgecolor": color, "linewidth": 1}
        axes.text(
            x,
            gate.qubits[0],
            gate.kind + repeats,
            ha="center",
            va="center",
            fontsize=8,
            color=color,
            bbox=box,
            zorder=2,
        )
        return
    first, second = gate.qubits
    axes.vlines(x, *sorted(gate.qubits), color=color, linewidth=1, zorder=1)
    if gate.kind == "ZZ":
        axes.plot([x, x], gate.qubits, "s", color=color, markersize=5, zorder=2)
        return
    axes.plot(x, first, "o", color=color, markersize=4, zorder=2)
    axes.plot(x, second, "o", markerfacecolor="white", markeredgecolor=color, markersize=7, zorder=2)
    axes.plot(x, second, "+", color=color, markersize=7, zorder=3)


def _caption(circuit: CircuitConfig) -> str:
    repeats = "; ³: three equal rotations in a row" if circuit.rotations == "triple" else ""
    return f"squares: RZZ; M: measured in Z; pale: changes no output{repeats}"
