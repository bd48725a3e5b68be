"""Stage base: a task's training text -> a teacher's base model, or its identity where it is a pretrained one.

Run as dvc.yaml does: python -m pipeline.stages.base --task T --teacher M --data FOLDER --base FOLDER --record FILE
"""

from pathlib import Path

import click

from pipeline.corpus.prepared import read_training
from pipeline.entry import PATH, require, run, write_record
from pipeline.params import read_block, read_seed
from teacher_cache.publish import publish_folder
from teacher_cache.teacher.base.checkpoints import make_base
from teacher_cache.teacher.teacher_config import BaseConfig


@click.command()
@require("task", "teacher")
@require("data", "base", "record", kind=PATH)
def main(task: str, teacher: str, data: Path, base: Path, record: Path) -> None:
    """Pin one teacher's pretrained base, or train a local one."""
    config = read_block(f"teacher.{teacher}.base", BaseConfig)
    texts, _ = read_training(data)
    with publish_folder(base) as folder:
        make_base(config, texts, read_seed(), folder)
    write_record(record, "base", task=task, teacher=teacher)


if __name__ == "__main__":
    run(main, "base")
