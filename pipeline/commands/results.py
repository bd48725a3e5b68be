"""`qdllm results`: the table of all that was evaluated, and where the report is.

In: evaluations/.  Out: results (a click command).  Imports: no torch, no jax.
"""

from pathlib import Path

import click

from pipeline.params import read_active, read_baselines
from pipeline.report.summaries import read_summaries
from pipeline.report.tables import format_table


@click.command()
@click.option("--evaluations", type=click.Path(path_type=Path), default=Path("evaluations"), show_default=True)
@click.option("--report", type=click.Path(path_type=Path), default=Path("reports"), show_default=True)
def results(evaluations: Path, report: Path) -> None:
    """Print teachers and students side by side, and the path of the report."""
    click.echo(format_table(read_summaries(evaluations, *read_active(), read_baselines())))
    page = report / "index.html"
    click.echo(f"Report: {page.resolve()}" if page.is_file() else "Report: not made yet; run `dvc repro report`")
