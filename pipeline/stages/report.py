"""Stage report: all evaluations -> one page and its tables.

Run as dvc.yaml does: python -m pipeline.stages.report --evaluations FOLDER --report FOLDER
"""

from pathlib import Path

import click

from pipeline.entry import PATH, require, run
from pipeline.params import read_active, read_comparators
from pipeline.report.page import build_report
from pipeline.report.summaries import read_summaries
from teacher_cache.publish import publish_folder


@click.command()
@require("evaluations", "report", kind=PATH)
def main(evaluations: Path, report: Path) -> None:
    """Draw the report of all active tasks and teachers."""
    summaries = read_summaries(evaluations, *read_active(), read_comparators())
    with publish_folder(report) as folder:
        build_report(summaries, folder)


if __name__ == "__main__":
    run(main, "report")
