"""The report's tables: the same numbers for the page, the CSV files and the terminal.

In: summaries.  Out: build_tables, write_tables, format_students, format_rivals.  Imports: pipeline.evaluation.metrics.
"""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from pipeline.evaluation.metrics import Interval
from pipeline.report import findings, provenance, student_tables
from pipeline.report.columns import Table
from pipeline.report.paper.costs import tabulate_tests
from pipeline.report.paper.models import average_score, list_models
from pipeline.report.summary_checks import Summary

# McNemar's verdicts, short enough for a terminal of 80 columns.
STANDINGS = {"QD-LLM better": "better", "rival better": "worse", "no difference found": "level"}


def build_tables(summaries: Sequence[Summary]) -> dict[str, Table]:
    """All tables by name, in the order of the page."""
    builders = (
        student_tables.tabulate_summary,
        findings.tabulate_verdicts,
        provenance.tabulate_data,
        provenance.tabulate_cards,
        provenance.tabulate_splits,
        provenance.tabulate_lengths,
        provenance.tabulate_teachers,
        provenance.tabulate_finetune,
        student_tables.tabulate_metrics,
        student_tables.tabulate_seeds,
        student_tables.tabulate_curves,
        student_tables.tabulate_confusion,
        student_tables.tabulate_reliability,
        student_tables.tabulate_controls,
        provenance.tabulate_settings,
        provenance.tabulate_parameters,
        provenance.tabulate_speed,
        provenance.tabulate_stages,
    )
    return {table.name: table for table in (build(summaries) for build in builders)}


def write_tables(tables: Iterable[Table], folder: Path) -> None:
    """Write each table to `folder`/{name}.csv; the folder must not exist yet."""
    folder.mkdir()
    for table in tables:
        (folder / f"{table.name}.csv").write_text(table.to_csv(), encoding="utf-8", newline="")


def format_students(summaries: Sequence[Summary], width: int | None = None) -> str:
    """The summary table as plain text, for a terminal `width` characters wide (its own width where None).

    Where the table does not fit, each task and teacher becomes a block of lines.
    """
    return _fit(list(_format_students(summaries)), width, names=2)


def format_rivals(summaries: Sequence[Summary], width: int | None = None) -> str:
    """Each rival of each student, and McNemar's test between the two, as `format_students`; empty without rivals."""
    rows = list(_format_rivals(summaries))
    return _fit(rows, width, names=3) if len(rows) > 1 else ""


def _fit(table: Sequence[tuple[str, ...]], width: int | None, names: int) -> str:
    """A header and rows as a table, or as blocks where that is too wide; the first `names` columns name the row."""
    header, *rows = table
    widths = [max(len(row[index]) for row in (header, *rows)) for index in range(len(header))]
    if sum(widths) + 2 * (len(widths) - 1) <= (width or shutil.get_terminal_size().columns):
        rule = tuple("-" * size for size in widths)
        return "\n".join(_format_line(row, widths, names) for row in (header, rule, *rows))
    blocks = (
        [
            " / ".join(row[:names]),
            *(f"  {title:<14}{cell}" for title, cell in zip(header[names:], row[names:], strict=True)),
        ]
        for row in rows
    )
    return "\n\n".join("\n".join(block) for block in blocks)


def _format_line(row: tuple[str, ...], widths: Sequence[int], names: int) -> str:
    left = (cell.ljust(size) for cell, size in zip(row[:names], widths[:names], strict=True))
    right = (cell.rjust(size) for cell, size in zip(row[names:], widths[names:], strict=True))
    return "  ".join((*left, *right))


def _format_students(summaries: Sequence[Summary]) -> Iterator[tuple[str, ...]]:
    yield ("task", "teacher", "T. acc.", "S. acc.", "95 % interval", "agree", "KL", "params")
    for row in student_tables.tabulate_summary(summaries).records():
        low, high = row["accuracy_low"], row["accuracy_high"]
        yield (
            row["task"],
            row["teacher"],
            f"{row['teacher_accuracy']:.4f}",
            f"{row['accuracy']:.4f}",
            _format_interval(low, high),
            f"{row['agreement']:.4f}",
            f"{row['kl']:.4f}",
            f"{row['trainable_parameters']:,}",
        )


def _format_rivals(summaries: Sequence[Summary]) -> Iterator[tuple[str, ...]]:
    yield ("task", "teacher", "rival", "acc.", "95 % interval", "params", "student is")
    tests = {(row["task"], row["teacher"], row["rival"]): row for row in tabulate_tests(summaries).records()}
    for model in (model for one in summaries for model in list_models(one)):
        if test := tests.get((model.task, model.teacher, model.method)):
            found = average_score([model], "accuracy")
            mean, low, high = found if isinstance(found, Interval) else (found, None, None)
            yield (
                *(model.task, model.teacher, model.method, f"{mean:.4f}", _format_interval(low, high)),
                f"{model.trained_parameters:,}",
                f"{STANDINGS[test['verdict']]}, p {test['p_adjusted']:.2g}",
            )


def _format_interval(low: float | None, high: float | None) -> str:
    return "one seed" if low is None else f"{low:.4f}-{high:.4f}"
