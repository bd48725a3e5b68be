"""Stage base: a task's training text -> a teacher's base model, or its identity where it is made already.

Run as dvc.yaml does: python -m pipeline.stages.base --task T --teacher M --data FOLDER --base FOLDER --record FILE
"""

from pathlib import Path

import click

from pipeline.corpus.file_teacher import describe_file_teacher
from pipeline.corpus.instructions import read_instructions
from pipeline.corpus.prepared import read_labels, read_training
from pipeline.entry import PATH, require, run, write_record
from pipeline.params import read_block, read_seed
from teacher_cache.imports.import_config import FileBase
from teacher_cache.publish import publish_folder, write_json
from teacher_cache.teacher.base.checkpoints import IDENTITY, make_base
from teacher_cache.teacher.teacher_config import BaseConfig


@click.command()
@require("task", "teacher")
@require("data", "base", "record", kind=PATH)
def main(task: str, teacher: str, data: Path, base: Path, record: Path) -> None:
    """Pin one teacher's pretrained base or file of answers, or train a local base."""
    config = read_block(f"teacher.{teacher}.base", BaseConfig)
    with publish_folder(base) as folder:
        if isinstance(config, FileBase):
            found = describe_file_teacher(config, f"teacher.{teacher}.base", read_labels(data))
            write_json(folder / IDENTITY, found.content)
        else:
            make_base(config, read_training(data)[0], read_seed(), folder, read_instructions(data))
    write_record(record, "base", task=task, teacher=teacher)


if __name__ == "__main__":
    run(main, "base")
