"""The report: one index.html that needs nothing else, and its tables as CSV and LaTeX beside it.

In: summaries.  Out: build_report.  Imports: jinja2, matplotlib, student_jax.export.drawing; no torch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pipeline.report import figures
from pipeline.report.columns import Table
from pipeline.report.figures import Figure
from pipeline.report.findings import compare_controls, sampling_margin
from pipeline.report.paper.beside import show_difference, show_interval
from pipeline.report.paper.section import Section, build_section, write_latex
from pipeline.report.provenance import list_machines
from pipeline.report.student_tables import CONTROLS
from pipeline.report.summary_checks import Summary, check_summaries, has_interval, name_pair
from pipeline.report.svg import inline_svg
from pipeline.report.tables import build_tables, write_tables
from student_jax.circuit.notation import measured_wires
from student_jax.config import CircuitConfig
from student_jax.export.drawing import draw_circuit

_FOLDER = Path(__file__).parent
_TITLES = {"student": "circuit with entanglement"} | CONTROLS


@dataclass(frozen=True)
class Pair:
    """All that the page shows of one task and teacher."""

    index: int
    task: str
    teacher: str
    summary: Summary
    finetune: Figure
    training: Figure
    reliability: Figure
    confusion: Table
    controls: Figure | None
    finding: str | None
    texts: int
    margin: float


def build_report(summaries: Sequence[Summary], folder: Path) -> None:
    """Write index.html, tables/*.csv and tables/*.tex into `folder`, which is empty; the caller publishes it.

    Args:
        summaries: what the stage evaluate wrote.
        folder: exists and is empty.

    Raises:
        UserError: there is no summary, one is there twice, or a number is not finite.
    """
    check_summaries(summaries)
    tables, section = build_tables(summaries), build_section(summaries)
    page = _render(summaries, tables, section)
    (folder / "index.html").write_text(page, encoding="utf-8", newline="")
    write_tables([*tables.values(), *section.list_tables()], folder / "tables")
    write_latex(section, folder / "tables")


def _render(summaries: Sequence[Summary], tables: Mapping[str, Table], section: Section) -> str:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"titles": _TITLES, "csv_address": _csv_address, "latex_address": _latex_address}
    environment.globals |= {"show_interval": show_interval, "show_difference": show_difference}
    started = [record["started"] for summary in summaries for record in summary["records"]]
    return environment.get_template("page.html").render(
        style=Markup((_FOLDER / "page.css").read_text(encoding="utf-8")),
        script=Markup((_FOLDER / "page.js").read_text(encoding="utf-8")),
        tables=tables,
        paper=section,
        latex=section.format_latex(),
        tasks=list(dict.fromkeys(summary["task"] for summary in summaries)),
        teachers=list(dict.fromkeys(summary["teacher"] for summary in summaries)),
        newest=max(started, default=None),
        accuracy=[_draw_accuracy(split, tables["metrics"]) for split in ("test", "validation")],
        lengths=_draw_lengths(summaries, tables["lengths"]),
        pairs=[_show_pair(index, summary, tables) for index, summary in enumerate(summaries)],
        circuits=_group_circuits(summaries),
        machines=list_machines(summaries),
        seeds=sorted({len(summary["seeds"]) for summary in summaries}),
        without_interval=[summary for summary in summaries if not has_interval(summary)],
    )


def _csv_address(table: Table) -> str:
    return f"data:text/csv;charset=utf-8,{quote(table.to_csv())}"


def _latex_address(text: str) -> str:
    return f"data:application/x-tex;charset=utf-8,{quote(text)}"


def _draw_accuracy(split: str, metrics: Table) -> Figure:
    return figures.draw_accuracy(f"accuracy-{split}", f"Accuracy, {split} split", metrics.only(split=split))


def _draw_lengths(plain: Sequence[Summary], lengths: Table) -> dict[str, Figure]:
    cards = {summary["task"]: summary["card"] for summary in plain}
    return {
        task: figures.draw_lengths(
            f"lengths-{index}", f"Length, {task}", lengths.only(task=task), card["words"]["median"]
        )
        for index, (task, card) in enumerate(cards.items())
    }


def _show_pair(index: int, summary: Summary, tables: Mapping[str, Table]) -> Pair:
    pair = name_pair(summary)
    label = f"{summary['task']} · {summary['teacher']}"
    scores = summary["metrics"]["test"]
    errors = {model: scores[model]["ece"] for model in ("teacher", "student")}
    controls = tables["controls"].only(**pair)
    texts, margin = sampling_margin(summary)
    best_epoch = summary["teacher_model"]["finetune"]["best_epoch"]
    finetune, curves, reliability = (tables[name].only(**pair) for name in ("finetune", "curves", "reliability"))
    return Pair(
        index=index,
        **pair,
        summary=summary,
        finetune=figures.draw_training(f"finetune-{index}", f"Fine-tuning, {label}", finetune, best_epoch),
        training=figures.draw_training(f"training-{index}", f"Training, {label}", curves),
        reliability=figures.draw_reliability(f"reliability-{index}", f"Reliability, {label}", reliability, errors),
        confusion=tables["confusion"].only(**pair),
        controls=figures.draw_controls(f"controls-{index}", label, controls, _TITLES) if controls.rows else None,
        finding=compare_controls(summary),
        texts=texts,
        margin=margin,
    )


def _group_circuits(summaries: Sequence[Summary]) -> list[dict[str, Any]]:
    """Each different circuit drawn once, with the students it stands for."""
    students: dict[str, list[Summary]] = {}
    for summary in summaries:
        circuit = CircuitConfig(**summary["student"]["config"]["circuit"])
        if circuit.file is not None:
            continue  # its gates are known to the user alone
        wires = measured_wires(circuit, len(summary["labels"]))
        students.setdefault(f"{circuit} {wires}", []).append(summary)
    return [_draw_circuit(f"circuit-{index}", group) for index, group in enumerate(students.values())]


def _draw_circuit(name: str, students: list[Summary]) -> dict[str, Any]:
    settings = students[0]["student"]["config"]["circuit"]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "circuit.svg"
        draw_circuit(CircuitConfig(**settings), len(students[0]["labels"]), path)
        svg = inline_svg(path.read_text(encoding="utf-8"), name)
    return {"name": name, "svg": svg, "students": students, "settings": settings}
