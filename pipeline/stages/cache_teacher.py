"""Stage cache_teacher: examples + base + adapter -> the teacher cache.

Run as dvc.yaml does: python -m pipeline.stages.cache_teacher --task T --teacher M --data FOLDER --base FOLDER
--adapter FOLDER --work FOLDER --cache FOLDER --record FILE
"""

from pathlib import Path

import click

from pipeline.entry import PATH, require, run, write_record
from pipeline.params import read_block
from teacher_cache.teacher.capture import Capture, capture
from teacher_cache.teacher.config import CaptureConfig


@click.command()
@require("task", "teacher")
@require("data", "base", "adapter", "work", "cache", "record", kind=PATH)
def main(task: str, teacher: str, data: Path, base: Path, adapter: Path, work: Path, cache: Path, record: Path) -> None:
    """Cache one fine-tuned teacher's distributions for every text of one task."""
    config = read_block(f"teacher.{teacher}.cache_teacher", CaptureConfig)
    manifest = capture(Capture(task, teacher, data / "examples.parquet", base, adapter, config), work, cache)
    if manifest is not None:
        write_record(record, "cache_teacher", task=task, teacher=teacher)


if __name__ == "__main__":
    run(main, "cache_teacher")
