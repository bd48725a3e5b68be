"""The report: one index.html that needs nothing else, and its tables as CSV and LaTeX beside it.

In: runs, the profile's name.  Out: build_report.  Imports: jinja2, matplotlib, student_jax.export.drawing; no torch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pipeline.report import confidence_figures, confidence_tables, figures, paired_tests, provenance, student_tables
from pipeline.report.columns import Table, write_tables
from pipeline.report.figures import Figure
from pipeline.report.paper.beside import build_paper
from pipeline.report.paper.published import find_published
from pipeline.report.runs import Run
from pipeline.report.svg import inline_svg
from pipeline.report.trivial import list_warnings
from pipeline.report.worth import sum_up_worth, tabulate_worth
from student_jax.circuit.notation import measured_wires
from student_jax.config import CircuitConfig
from student_jax.export.drawing import draw_circuit

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Pair:
    """All that the page shows of one task and teacher; `margin` is what drawing the test texts adds to an interval."""

    index: int
    run: Run
    finetune: Figure | None
    training: Figure
    reliability: Figure
    coverage: Figure
    cascade: Figure
    cascade_finding: str
    confusion: Table
    comparators: Figure | None
    finding: str | None
    margin: float
    terms: Figure | None


def build_report(runs: Sequence[Run], profile: str, folder: Path) -> None:
    """Write index.html, tables/*.csv and tables/*.tex into `folder`, which is empty; the caller publishes it.

    Args:
        runs: one at least.
        profile: the name that params.yaml has.
        folder: exists and is empty.
    """
    tables = build_tables(runs, profile)
    paper = build_paper(runs)
    (folder / "index.html").write_text(_render(runs, tables, paper), encoding="utf-8", newline="")
    write_tables([*tables.values(), *paper], folder / "tables")


def build_tables(runs: Sequence[Run], profile: str) -> dict[str, Table]:
    """All tables by name but those of the paper, in the order of the page."""
    builders = (
        *(
            tabulate_worth,
            student_tables.tabulate_summary,
            paired_tests.tabulate_verdicts,
            paired_tests.tabulate_comparators,
        ),
        *(paired_tests.tabulate_tuning, provenance.tabulate_data, provenance.tabulate_cards),
        *(provenance.tabulate_splits, provenance.tabulate_lengths, provenance.tabulate_teachers),
        *(provenance.tabulate_finetune, student_tables.tabulate_metrics, student_tables.tabulate_seeds),
        *(student_tables.tabulate_curves, student_tables.tabulate_confusion, student_tables.tabulate_reliability),
        *(confidence_tables.tabulate_calibration, confidence_tables.tabulate_coverage),
        confidence_tables.tabulate_cascade,
        student_tables.tabulate_surrogates,
        *(provenance.tabulate_settings, provenance.tabulate_costs, provenance.tabulate_stages),
    )
    tables = {table.name: table for table in (build(runs) for build in builders)}
    return tables | {
        "counts": paired_tests.tabulate_counts(tables["verdicts"]),
        "run": provenance.tabulate_run(runs, profile),
    }


def _render(runs: Sequence[Run], tables: Mapping[str, Table], paper: Sequence[Table]) -> str:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"name_comparator": paired_tests.name_comparator, "csv_address": _csv_address}
    return environment.get_template("page.html").render(
        style=Markup((_FOLDER / "page.css").read_text(encoding="utf-8")),
        script=Markup((_FOLDER / "page.js").read_text(encoding="utf-8")),
        tables=tables,
        paper=[(table, find_published("notes", table=table.name).get("note")) for table in paper],
        tasks=list(dict.fromkeys(run.task for run in runs)),
        teachers=list(dict.fromkeys(run.teacher for run in runs)),
        newest=max((record["started"] for run in runs for record in run.records if "started" in record), default=None),
        worth=figures.draw_worth("worth-figure", "What the teacher was worth", tables["worth"]),
        worth_finding=sum_up_worth(tables["worth"]),
        accuracy=[
            figures.draw_accuracy(f"accuracy-{split}", f"Accuracy, {split} split", tables["metrics"].only(split=split))
            for split in student_tables.SPLITS
        ],
        lengths=_draw_lengths(runs, tables["lengths"]),
        pairs=[_show_pair(index, run, tables) for index, run in enumerate(runs)],
        circuits=_group_circuits(runs),
        warnings=list_warnings(runs),
        seeds=sorted({len(run.summary.seeds) for run in runs}),
    )


def _csv_address(table: Table) -> str:
    return f"data:text/csv;charset=utf-8,{quote(table.to_csv())}"


def _draw_lengths(runs: Sequence[Run], lengths: Table) -> dict[str, Figure]:
    return {
        task: figures.draw_lengths(
            f"lengths-{index}", f"Length, {task}", lengths.only(task=task), card["words"]["median"]
        )
        for index, (task, card) in enumerate(provenance.list_cards(runs).items())
    }


def _show_pair(index: int, run: Run, tables: Mapping[str, Table]) -> Pair:
    label, summary = f"{run.task} · {run.teacher}", run.summary
    own = {name: table.only(**run.names) for name, table in tables.items() if name in _OF_PAIRS}
    errors = {"teacher": summary.teacher_metrics.test.ece, "student": summary.chosen.test.ece}
    errors |= {} if summary.calibrated is None else {"calibrated": summary.calibrated.test.ece}
    accuracy, best = summary.metrics.test.accuracy, run.describe_teacher().get("best_epoch")
    draws = bool(own["finetune"].rows) and best is not None
    return Pair(
        index=index,
        run=run,
        finetune=figures.draw_training(f"finetune-{index}", f"Fine-tuning, {label}", own["finetune"], best)
        if draws
        else None,
        training=figures.draw_training(f"training-{index}", f"Training, {label}", own["curves"]),
        reliability=figures.draw_reliability(
            f"reliability-{index}", f"Reliability, {label}", own["reliability"], errors
        ),
        coverage=confidence_figures.draw_coverage(
            f"coverage-{index}", f"Abstaining, {label}", own["coverage"], summary.coverage_area
        ),
        cascade=confidence_figures.draw_cascade(
            f"cascade-{index}", f"Student first, {label}", own["cascade"], summary.cascade
        ),
        cascade_finding=confidence_tables.sum_up_cascade(summary.cascade, confidence_tables.compare_costs(run)),
        confusion=own["confusion"],
        comparators=figures.draw_comparators(f"comparators-{index}", label, own["comparators"])
        if run.comparisons
        else None,
        finding=paired_tests.sum_up(own["verdicts"]),
        margin=1.96 * (accuracy * (1 - accuracy) / run.texts) ** 0.5,
        terms=figures.draw_terms(f"terms-{index}", f"Circuit as a polynomial, {label}", own["surrogates"])
        if own["surrogates"].rows
        else None,
    )


_OF_PAIRS = (
    *("finetune", "curves", "reliability", "coverage", "cascade", "confusion", "comparators", "verdicts"),
    "surrogates",
)


def _group_circuits(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Each different circuit drawn once, with the students it stands for."""
    students: dict[str, list[Run]] = {}
    for run in runs:
        circuit = CircuitConfig(**run.summary.settings["circuit"])
        if circuit.file is not None:
            continue  # its gates are known to the user alone
        wires = measured_wires(circuit, len(run.summary.labels))
        students.setdefault(f"{circuit} {wires}", []).append(run)
    return [_draw_circuit(f"circuit-{index}", group) for index, group in enumerate(students.values())]


def _draw_circuit(name: str, group: list[Run]) -> dict[str, Any]:
    settings = group[0].summary.settings["circuit"]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "circuit.svg"
        draw_circuit(CircuitConfig(**settings), len(group[0].summary.labels), path)
        svg = inline_svg(path.read_text(encoding="utf-8"), name)
    return {"name": name, "svg": svg, "runs": group, "settings": settings}
