"""The report's tables: the same numbers for the page, the CSV files and the terminal.

In: summaries.  Out: build_tables, write_tables, format_table.  Imports: the standard library alone.
"""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from pipeline.report import findings, provenance, results
from pipeline.report.columns import Table
from pipeline.report.evaluation import Summary


def build_tables(summaries: Sequence[Summary]) -> dict[str, Table]:
    """All tables by name, in the order of the page."""
    builders = (
        results.tabulate_summary,
        findings.tabulate_verdicts,
        provenance.tabulate_data,
        provenance.tabulate_cards,
        provenance.tabulate_splits,
        provenance.tabulate_lengths,
        provenance.tabulate_teachers,
        provenance.tabulate_finetune,
        results.tabulate_metrics,
        results.tabulate_seeds,
        results.tabulate_curves,
        results.tabulate_confusion,
        results.tabulate_reliability,
        results.tabulate_controls,
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


def format_table(summaries: Sequence[Summary], width: int | None = None) -> str:
    """The summary table as plain text, for a terminal `width` characters wide (its own width where None).

    Where the table does not fit, each task and teacher becomes a block of lines.
    """
    header, *rows = _format_cells(summaries)
    widths = [max(len(row[index]) for row in (header, *rows)) for index in range(len(header))]
    if sum(widths) + 2 * (len(widths) - 1) <= (width or shutil.get_terminal_size().columns):
        rule = tuple("-" * size for size in widths)
        return "\n".join(_format_line(row, widths) for row in (header, rule, *rows))
    blocks = (
        [f"{row[0]} / {row[1]}", *(f"  {title:<14}{cell}" for title, cell in zip(header[2:], row[2:], strict=True))]
        for row in rows
    )
    return "\n\n".join("\n".join(block) for block in blocks)


def _format_line(row: tuple[str, ...], widths: Sequence[int]) -> str:
    names = (cell.ljust(size) for cell, size in zip(row[:2], widths[:2], strict=True))
    numbers = (cell.rjust(size) for cell, size in zip(row[2:], widths[2:], strict=True))
    return "  ".join((*names, *numbers))


def _format_cells(summaries: Sequence[Summary]) -> Iterator[tuple[str, ...]]:
    yield ("task", "teacher", "T. acc.", "S. acc.", "95 % interval", "agree", "KL", "params")
    for row in results.tabulate_summary(summaries).records():
        low, high = row["accuracy_low"], row["accuracy_high"]
        yield (
            row["task"],
            row["teacher"],
            f"{row['teacher_accuracy']:.4f}",
            f"{row['accuracy']:.4f}",
            "one seed" if low is None else f"{low:.4f}-{high:.4f}",
            f"{row['agreement']:.4f}",
            f"{row['kl']:.4f}",
            f"{row['trainable_parameters']:,}",
        )
