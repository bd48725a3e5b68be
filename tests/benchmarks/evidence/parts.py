"""What the evidence consists of: units, each with a teacher of its own, and parts, each a model trained in a unit.

In: what is asked for.  Out: Unit, Part, list_parts(), estimate().  Imports: the standard library.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

LABELS = (240, 64, 1200, None)  # None: all
POOLS = (6000, 0, 1000, None)
DRAWS = 3  # of labels, up to FEW of them
FEW = 240
QUBITS, LAYERS = (4, 8, 11, 14), (1, 2, 4, 8)
# Two cores with AMX, nothing else running: texts a second in fine-tuning, in answering, through the encoder; seconds a
# step of one student of 11 qubits and 4 layers at a batch of 64.
TUNED, ANSWERED, ENCODED, STEP = 23.0, 80.0, 300.0, 0.0046


@dataclass(frozen=True)
class Unit:
    """A task, how many of its texts keep their labels, and which draw of them: one teacher."""

    task: str
    labels: int | None
    draw: int

    @property
    def name(self) -> str:
        """Its folder."""
        return f"{self.task}/{self.labels or 'all'}/{self.draw}"


@dataclass(frozen=True)
class Part:
    """One model, tuned and trained: `how` is labels_alone, distilled or all_labels; `pool` None is all of it.

    Of a `circuit`, (qubits, layers), there is the student without tuning: what the ceiling is made of.
    """

    unit: Unit
    features: str
    model: str
    how: str
    pool: int | None = 0
    circuit: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        """Its file."""
        shape = "-{}x{}".format(*self.circuit) if self.circuit else ""
        pool = "all" if self.pool is None else self.pool
        return f"{self.unit.name}/{self.features}/{self.model}{shape}-{self.how}-{pool}"


def list_parts(tasks: Sequence[str], kinds: Sequence[str]) -> list[Part]:
    """All parts, the most wanted first: what a row of the table needs stays together.

    Args:
        tasks: names, the most wanted first.
        kinds: of features.
    """
    # All draws of few labels, 240 of them first, where the targets are; then one of each larger number.
    drawn = [(labels, draw) for labels in LABELS if labels and labels <= FEW for draw in range(DRAWS)]
    small = [Unit(task, *one) for one in drawn for task in tasks]
    large = [Unit(task, labels, 0) for labels in LABELS if not labels or labels > FEW for task in tasks]
    wanted = [unit for unit in small if unit.labels == FEW]
    first = wanted[: len(tasks)]
    parts = [part for unit in wanted for part in _list_cells(unit, kinds[0])]
    parts += [part for unit in first for part in _list_ceiling(unit, kinds[0])]
    parts += [Part(unit, kinds[0], "lelp", "distilled", None) for unit in first]
    return parts + [
        part
        for units in (small, large)
        for kind in kinds
        for unit in units
        if kind != kinds[0] or unit not in wanted
        for part in _list_cells(unit, kind)
    ]


def _list_cells(unit: Unit, kind: str) -> Iterator[Part]:
    models = ("quantum", "logistic")
    if unit.labels is None:
        yield from (Part(unit, kind, model, how) for how in ("distilled", "labels_alone") for model in models)
        return
    yield from (Part(unit, kind, model, "distilled", POOLS[0]) for model in models)
    yield from (Part(unit, kind, model, "labels_alone") for model in models)
    yield from (Part(unit, kind, model, "all_labels", None) for model in models)
    yield from (Part(unit, kind, model, "distilled", pool) for pool in POOLS[1:] for model in models)


def _list_ceiling(unit: Unit, kind: str) -> Iterator[Part]:
    yield Part(unit, kind, "mlp", "distilled", None)
    yield from (
        Part(unit, kind, "quantum", "distilled", None, (qubits, layers)) for qubits in QUBITS for layers in LAYERS
    )


def count_pool(part: Part, rows: int) -> int:
    """How many unlabelled texts the part learns from; `rows` are the whole task's, 60 % of them to train on."""
    most = 0 if part.unit.labels is None else max(0, rows * 6 // 10 - part.unit.labels * 3 // 4)
    return most if part.pool is None else part.pool


def exists(part: Part, rows: int) -> bool:
    """Whether the pool is as large as the part asks for, and not of the same size as all of it."""
    return part.pool in (0, None) or part.pool < count_pool(Part(part.unit, "", "", "", None), rows)


def estimate(parts: Sequence[Part], rows: Mapping[str, int], students: int, epochs: int, min_steps: int) -> float:
    """Seconds that `parts` take on two quiet cores, their teachers and features included, where none is there yet."""
    return (
        sum(estimate_part(part, rows[part.unit.task], students, epochs, min_steps) for part in parts)
        + sum(estimate_teacher(unit, rows[unit.task]) for unit in {part.unit for part in parts})
        + sum(
            rows[unit.task] / ENCODED
            for unit, kind in {(part.unit, part.features) for part in parts}
            if kind == "encoder"
        )
    )


def estimate_part(part: Part, rows: int, students: int, epochs: int, min_steps: int) -> float:
    """Seconds of one part; `students` are as many as are trained side by side, settings times seeds."""
    if part.model == "logistic":
        return 10.0
    labelled = rows * 6 // 10 if part.unit.labels is None else part.unit.labels * 3 // 4
    texts = labelled + count_pool(part, rows)
    steps = max(min_steps, epochs * (texts // 64))
    qubits, layers = part.circuit or (11, 4)
    cost = STEP * (layers / 4) * 2.0 ** max(qubits - 11, -2) * (0.1 if part.model == "mlp" else 1.0)
    return 15.0 + steps * cost * (3 if part.circuit else students)


def estimate_teacher(unit: Unit, rows: int) -> float:
    """Seconds of fine-tuning and capture."""
    labelled = rows * 8 // 10 if unit.labels is None else unit.labels
    return 30.0 + count_epochs(unit.labels) * labelled / TUNED + rows * 0.8 / ANSWERED


def count_epochs(labels: int | None) -> int:
    """Epochs of fine-tuning at most, the best of them by validation: as many steps as few labels need."""
    return {64: 16, 240: 8, 1200: 4}.get(labels or 0, 2)
