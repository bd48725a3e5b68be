"""The report's section "Paper and ours", and "What the paper leaves out".

In: summaries.  Out: Section, build_section, write_latex.  Imports: the modules of this folder.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.report.columns import Table
from pipeline.report.figures import Figure
from pipeline.report.paper.beside import Beside
from pipeline.report.paper.costs import tabulate_costs, tabulate_related, tabulate_tests, tabulate_times
from pipeline.report.paper.deviations import tabulate_deviations
from pipeline.report.paper.latex import format_beside, format_table
from pipeline.report.paper.paper_figures import draw_related, draw_times
from pipeline.report.paper.paper_tables import build_besides
from pipeline.report.paper.run import tabulate_run
from pipeline.report.summary_checks import Summary


@dataclass(frozen=True)
class Section:
    """All that the two sections show; `times` and `related` are the tables of `figures`, which go by task."""

    run: Table
    besides: list[Beside]
    times: Table
    related: Table
    figures: list[tuple[str, Figure]]
    deviations: Table
    costs: Table
    tests: Table

    def list_plain(self) -> list[Table]:
        """The tables that are no comparison with one of the paper's tables."""
        return [self.run, self.times, self.related, self.deviations, self.costs, self.tests]

    def list_tables(self) -> list[Table]:
        """Everything as plain tables, for CSV."""
        return [*(beside.to_table() for beside in self.besides), *self.list_plain()]

    def format_latex(self) -> dict[str, str]:
        """Everything as LaTeX, by the table's name."""
        shown = {beside.name: format_beside(beside) for beside in self.besides}
        return shown | {table.name: format_table(table) for table in self.list_plain()}


def build_section(summaries: Sequence[Summary]) -> Section:
    """Every table and figure of the two sections."""
    times, related = tabulate_times(summaries), tabulate_related(summaries)
    return Section(
        run=tabulate_run(summaries),
        besides=build_besides(summaries),
        times=times,
        related=related,
        figures=_draw(times, related),
        deviations=tabulate_deviations(summaries),
        costs=tabulate_costs(summaries),
        tests=tabulate_tests(summaries),
    )


def write_latex(section: Section, folder: Path) -> None:
    """Write each table to `folder`/{name}.tex; the folder must exist."""
    for name, text in section.format_latex().items():
        (folder / f"{name}.tex").write_text(text, encoding="utf-8", newline="")


def _draw(times: Table, related: Table) -> list[tuple[str, Figure]]:
    """Figure 3, two drawings for each task, then figure 4, one for each."""
    tasks = list(dict.fromkeys(record["task"] for record in times.records()))
    drawn = [
        (task, draw_times(f"figure-3-{kind}-{index}", f"Figure 3: {kind}, {task}", times.only(task=task, time=kind)))
        for index, task in enumerate(tasks)
        for kind in ("distillation", "inference")
    ]
    return drawn + [
        (task, draw_related(f"figure-4-{index}", f"Figure 4: {task}", related.only(task=task)))
        for index, task in enumerate(tasks)
    ]
