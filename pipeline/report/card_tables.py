"""The tables of a model card: results, controls, what it was made from, licences, as Markdown.

In: a Run, and what only who publishes knows.  Out: Publication, escape(), write_rows(), tabulate_results(),
tabulate_controls(), list_facts(), list_licences(), find_source(), find_margin(), shorten_path().  Imports: tabulate.

Names that users chose are escaped: they are text, and no markup.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from tabulate import tabulate

from pipeline.report.columns import Column
from pipeline.report.paired_tests import name_comparator
from pipeline.report.runs import Run
from pipeline.report.worth import measure_worth
from teacher_cache.schema import LABELLED_SPLITS

UNKNOWN = "not known; ask before you use it"
_FRACTION = Column("", "", "fraction")
_SIGNIFICANT = Column("", "", "significant")


@dataclass(frozen=True)
class Publication:
    """What is published: the repository's name, the student's licence, and those of what it was made from, as told.

    `dimensions` is the length of a feature vector, `graph` how far the ONNX graph is from the student, None where there
    is none.
    """

    repo: str
    licence: str
    dimensions: int
    data_licence: str | None = None
    teacher_licence: str | None = None
    graph: float | None = None


def escape(text: str) -> str:
    """`text` on one line, in which no character is Markdown's or HTML's."""
    return re.sub(r"([\\`*_{}\[\]<>#|&~])", r"\\\1", " ".join(str(text).split()))


def write_rows(titles: Sequence[str], rows: Any, numbers: Sequence[int] = ()) -> str:
    """A table of names and numbers; the columns `numbers` are aligned as such."""
    align = ["right" if place in numbers else "left" for place in range(len(titles))]
    cells = [[escape(cell) for cell in row] for row in rows]
    return tabulate(cells, titles, "pipe", disable_numparse=True, colalign=align)


def tabulate_results(run: Run) -> str:
    """The chosen seed on the test split beside the trivial answer, its teacher, and students of other labels."""
    worth, trivial = measure_worth(run), run.summary.trivial
    models = {
        "student of the same labels alone": worth.labels_alone,
        "**this student**": worth.student,
        "its teacher": worth.teacher,
        "student of all labels, the pool's too": worth.all_labels,
    }
    rows = [[f"always {escape(trivial['trivial_label'])}", trivial["trivial_accuracy"], None, trivial["trivial_f1"]]]
    for model, scores in models.items():
        if scores is not None:
            rows.append([model, scores.accuracy, find_margin(scores.accuracy, run.texts), scores.f1])
    cells = [[name, *(_FRACTION.show(value) for value in values)] for name, *values in rows]
    titles = ("model", "accuracy", "+/- 95 %, choice of texts", "macro F1")
    return tabulate(cells, titles, "pipe", disable_numparse=True, colalign=["left", *["right"] * 3])


def find_margin(accuracy: float, texts: int) -> float:
    """Half of the 95 % interval of a share, by the normal distribution."""
    return float(1.96 * (accuracy * (1 - accuracy) / texts) ** 0.5)


def tabulate_controls(records: Sequence[Mapping[str, Any]]) -> str:
    """The records of paired_tests.tabulate_verdicts(); nothing where there are none."""
    titles = ("control", "its accuracy", "only the student right", "only the control right", "p (Holm)", "student")
    rows = [
        [
            name_comparator(one["comparator"]),
            _FRACTION.show(one["accuracy"]),
            *(str(one[key]) for key in ("student_alone", "comparator_alone")),
            _SIGNIFICANT.show(one["p_adjusted"]),
            one["verdict"],
        ]
        for one in records
    ]
    return write_rows(titles, rows, (1, 2, 3, 4)) if rows else ""


def list_facts(run: Run) -> list[tuple[str, str]]:
    """What a student was made from, as far as card and records say."""
    summary, card = run.summary, run.card or {}
    circuit, teacher = summary.settings["circuit"], run.describe_teacher()
    splits = {split: card.get("splits", {}).get(split, {}) for split in LABELLED_SPLITS}
    described = (
        f"{circuit['qubits']} qubits, {circuit['ansatz']}, {circuit['layers']} layers, {circuit['entanglement']}"
    )
    facts = {
        "task": run.task,
        "texts": _name_source(run),
        "of them": f"{card['rows']} of {card['rows_read']} kept" if card else None,
        **{split: ", ".join(f"{label} {count}" for label, count in found.items()) for split, found in splits.items()},
        "learned from": f"{summary.trained_on.labelled} labelled texts, {summary.trained_on.pool} of the pool",
        "teacher": _name_teacher(run),
        "teacher's numbers": f"{teacher['parameters']:,}" if teacher.get("parameters") else None,
        "features": f"kind {summary.embed['kind']}" + _SAW[summary.features_saw_labels],
        "circuit": "the user's own" if circuit.get("file") else f"{described}, readout {circuit['readout']}",
        "settings tried": str(len(summary.tuning.settings)),
    }
    return [(name, value) for name, value in facts.items() if value]


_SAW = {True: ", fitted with the training labels", False: ", fitted without labels", None: ""}


def list_licences(run: Run, publication: Publication) -> dict[str, str]:
    """What each part is under, as far as somebody said; what is generated or trained here has no other owner."""
    teacher, kind = run.describe_teacher(), find_source(run).get("kind")
    known = {"data": publication.data_licence, "teacher": publication.teacher_licence}
    if kind == "embedded":
        known["data"] = known["data"] or "generated by QD-LLM, Apache-2.0"
    if teacher.get("kind") == "local":
        known["teacher"] = known["teacher"] or "trained from scratch on the data"
    what = "teacher file" if teacher.get("kind") == "file" else "base model of the teacher"
    return {
        "this student": publication.licence,
        f"data: {_name_source(run)}": known["data"] or UNKNOWN,
        f"{what}: {_name_teacher(run)}": known["teacher"] or UNKNOWN,
    }


def find_source(run: Run) -> Mapping[str, Any]:
    """What the data card says of where the texts came from; empty without a card."""
    return (run.card or {}).get("source", {})


def _name_source(run: Run) -> str:
    """What the texts are, without the name of anybody's file."""
    source = find_source(run)
    match source.get("kind"):
        case "embedded":
            return f"generated by QD-LLM, {source['generator']}"
        case "hub":
            return f"{source['dataset']} at {source['revision']}"
        case "file":
            return "a file that is not published"
    return "not recorded"


def _name_teacher(run: Run) -> str:
    """What the teacher is, of a folder or a file its last name alone."""
    teacher = run.describe_teacher()
    shown = shorten_path(teacher["name"] or run.teacher)
    return f"{shown} at {teacher['revision']}" if teacher.get("revision") else shown


def shorten_path(name: Any) -> str:
    """Of a path on somebody's machine its last name; a hub's id as it is."""
    return PurePath(str(name)).name if str(name).startswith(("/", "~", ".")) else str(name)
