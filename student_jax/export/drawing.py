"""The circuit as a picture or as text, gates that change no output marked.

In: CircuitConfig, number of classes.  Out: draw_circuit(), render_text(), find_live_cnots().
Imports: numpy; matplotlib where a picture is drawn.
"""

import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool

from student_jax.circuit.qnode import measured_wires, neighbours
from student_jax.config import CircuitConfig
from student_jax.engines.lightcone import find_light_cone
from teacher_cache.errors import UserError
from teacher_cache.publish import publish_file

LIVE, DEAD = "#1f3a5f", "#b4bbc6"
COLUMN_INCHES, ROW_INCHES, LETTER_INCHES = 0.34, 0.36, 0.085
WIDTHS = {"RX": 1.7, "RY": 1.7, "RZ": 1.7, "ZZ": 0.8, "CX": 0.55, "M": 1.5}


class Gate(NamedTuple):
    """A gate, or what belongs together in one box: `kind` of WIDTHS, its qubits, whether it changes any output."""

    kind: str
    qubits: tuple[int, ...]
    live: bool


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


def _render_column(column: list[Gate], qubits: int) -> list[str]:
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


def _columns(circuit: CircuitConfig, classes: int) -> Iterator[list[Gate]]:
    """The circuit from left to right; gates of one column have no qubit in common."""
    cone, cnots = find_light_cone(circuit, classes), find_live_cnots(circuit, classes)
    qubits, pairs = range(circuit.qubits), neighbours(circuit)
    yield [Gate("RX", (qubit,), bool(cone.encoding[qubit])) for qubit in qubits]
    for layer in range(circuit.layers):
        yield [Gate("RY", (qubit,), bool(cone.ry[layer, qubit].any())) for qubit in qubits]
        couplings = [Gate("ZZ", pair, bool(live)) for pair, live in zip(pairs, cone.rzz[layer], strict=True)]
        chain = couplings[: circuit.qubits - 1]
        # RZZs commute: every second one stands in the same column.
        yield from (column for column in (chain[::2], chain[1::2], couplings[circuit.qubits - 1 :]) if column)
        yield [Gate("RZ", (qubit,), bool(cone.rz[layer, qubit].any())) for qubit in qubits]
        yield from ([Gate("CX", pair, bool(live))] for pair, live in zip(pairs, cnots[layer], strict=True))
    yield [Gate("M", (wire,), True) for wire in measured_wires(circuit, classes)]


def find_live_cnots(circuit: CircuitConfig, classes: int) -> Bool[np.ndarray, "layers pairs"]:
    """The CNOTs without which an output could be another.

    As in lightcone.py, but gate by gate: an operator that is moved back in time past a CNOT stays what it is, unless it
    may have an X (or Y) factor on the control or a Z (or Y) factor on the target.
    """
    pairs = neighbours(circuit)
    live = np.zeros((circuit.layers, len(pairs)), bool)
    x: set[int] = set()
    z = set(measured_wires(circuit, classes))
    for layer in reversed(range(circuit.layers)):
        for index, (control, target) in reversed(list(enumerate(pairs))):
            live[layer, index] = control in x or target in z
            if control in x:
                x.add(target)
            if target in z:
                z.add(control)
        coupled = {qubit for pair in pairs if x & set(pair) for qubit in pair}
        x = x | z | coupled  # RZ and RZZ make Z of X, and RY either of the other.
        z = set(x)
    return live


def _save_picture(columns: list[list[Gate]], circuit: CircuitConfig, path: Path, kind: str) -> None:
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
                _draw_gate(axes, gate, middle, circuit)
            left += WIDTHS[column[0].kind]
        axes.text(-0.3, circuit.qubits, "\n".join(caption), fontsize=9, va="top", color="#333333")
        figure.savefig(path, format=kind, dpi=160, metadata={"Date": None} if kind == "svg" else {"Software": None})


def _draw_gate(axes: Any, gate: Gate, x: float, circuit: CircuitConfig) -> None:
    color = LIVE if gate.live else DEAD
    if len(gate.qubits) == 1:
        repeats = "³" if circuit.rotations == "triple" and gate.kind in {"RY", "RZ"} else ""
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
