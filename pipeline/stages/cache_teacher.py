"""Stage cache_teacher: examples + base + adapter, or somebody's file of answers -> the teacher cache.

Run as dvc.yaml does: python -m pipeline.stages.cache_teacher --task T --teacher M --data FOLDER --base FOLDER
--adapter FOLDER --work FOLDER --cache FOLDER --record FILE
"""

from pathlib import Path

import click

from pipeline.corpus.file_teacher import import_from_texts, read_file_teacher
from pipeline.entry import PATH, is_main_process, require, run, write_record
from pipeline.params import read_block
from teacher_cache.teacher.teacher_config import CaptureConfig


@click.command()
@require("task", "teacher")
@require("data", "base", "adapter", "work", "cache", "record", kind=PATH)
@click.option(
    "--ray", "workers", type=click.IntRange(min=1), envvar="QDLLM_RAY", help="Capture on Ray, with as many workers."
)
def main(
    task: str,
    teacher: str,
    data: Path,
    base: Path,
    adapter: Path,
    work: Path,
    cache: Path,
    record: Path,
    workers: int | None,
) -> None:
    """Cache one teacher's distributions for every text of one task."""
    config = read_block(f"teacher.{teacher}.cache_teacher", CaptureConfig)
    file = read_file_teacher(base)
    if file is None:
        from teacher_cache.teacher.capture.job import Capture, capture
        from teacher_cache.teacher.capture.ray_workers import capture_with_ray

        request = Capture(task, teacher, data / "examples.parquet", base, adapter, config)
        manifest = capture(request, work, cache) if workers is None else capture_with_ray(request, work, cache, workers)
    elif is_main_process():
        manifest = import_from_texts(file, task, teacher, data, config.rows_per_part, work, cache)
    else:
        manifest = None
    if manifest is not None:
        write_record(record, "cache_teacher", task=task, teacher=teacher)


if __name__ == "__main__":
    run(main, "cache_teacher")
