"""`qdllm results`: the table of all that was evaluated, and where the report is.

In: evaluations/.  Out: results (a click command).  Imports: no torch, no jax.
"""

import json
from pathlib import Path

import click

from pipeline.params import read_active, read_comparators
from pipeline.report.paper.costs import tabulate_tests
from pipeline.report.student_tables import tabulate_summary
from pipeline.report.summaries import read_summaries
from pipeline.report.tables import format_rivals, format_students


@click.command(short_help="The table of results, and the report's path")
@click.option("--evaluations", type=click.Path(path_type=Path), default=Path("evaluations"), show_default=True)
@click.option("--report", type=click.Path(path_type=Path), default=Path("reports"), show_default=True)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print JSON: all numbers of the students, and the tests against their rivals.",
)
def results(evaluations: Path, report: Path, as_json: bool) -> None:
    """Print teachers, students and rivals side by side, and the path of the report."""
    summaries = read_summaries(evaluations, *read_active(), read_comparators())
    if as_json:
        tables = {"students": tabulate_summary(summaries), "rivals": tabulate_tests(summaries)}
        click.echo(json.dumps({name: table.records() for name, table in tables.items()}))
        return
    click.echo(format_students(summaries))
    if rivals := format_rivals(summaries):
        click.echo(f"\n{rivals}")
    page = report / "index.html"
    click.echo(f"Report: {page.resolve()}" if page.is_file() else "Report: not made yet; run `dvc repro report`")
