"""Stage report: all evaluations and comparisons, data cards and records -> one page and its tables.

Run as dvc.yaml does: python -m pipeline.stages.report --evaluations FOLDER --comparisons FOLDER --cards FOLDER
--records FOLDER --report FOLDER
"""

from pathlib import Path

import click

from pipeline.entry import PATH, require, run
from pipeline.params import Name, read_active, read_block, read_comparators
from pipeline.report.page import build_report
from pipeline.report.runs import Places, read_runs
from teacher_cache.publish import publish_folder


@click.command()
@require("evaluations", "comparisons", "cards", "records", "report", kind=PATH)
def main(evaluations: Path, comparisons: Path, cards: Path, records: Path, report: Path) -> None:
    """Draw the report of all active tasks and teachers."""
    runs = read_runs(Places(evaluations, comparisons, cards, records), *read_active(), read_comparators())
    with publish_folder(report) as folder:
        build_report(runs, read_block("profile", Name), folder)


if __name__ == "__main__":
    run(main, "report")
