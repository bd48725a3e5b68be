"""Stage report: all evaluations -> one page and its tables.

Run as dvc.yaml does: python -m pipeline.stages.report --evaluations FOLDER --report FOLDER
"""

from pathlib import Path

import click

from pipeline.entry import run
from pipeline.params import read_active
from pipeline.report.page import build_report
from pipeline.report.summaries import read_summaries
from teacher_cache.publish import publish_folder


@click.command()
@click.option("--evaluations", type=click.Path(path_type=Path), required=True)
@click.option("--report", type=click.Path(path_type=Path), required=True)
def main(evaluations: Path, report: Path) -> None:
    """Draw the report of all active tasks and teachers."""
    summaries = read_summaries(evaluations, *read_active())
    with publish_folder(report) as folder:
        build_report(summaries, folder)


if __name__ == "__main__":
    run(main, "report")
