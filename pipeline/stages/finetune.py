"""Stage finetune: examples + base -> LoRA adapter with its head; of a file of answers, its identity alone.

Run as dvc.yaml does: python -m pipeline.stages.finetune --task T --teacher M --data FOLDER --base FOLDER
--adapter FOLDER --work FOLDER --record FILE
"""

import json
import shutil
from pathlib import Path

import click

from pipeline.corpus.file_teacher import read_file_teacher
from pipeline.corpus.prepared import read_labelled, read_labels
from pipeline.entry import PATH, is_main_process, require, run, write_record
from pipeline.params import read_block, read_seed
from teacher_cache.publish import publish_folder, write_json
from teacher_cache.teacher.teacher_config import FinetuneConfig


@click.command()
@require("task", "teacher")
@require("data", "base", "adapter", "work", "record", kind=PATH)
def main(task: str, teacher: str, data: Path, base: Path, adapter: Path, work: Path, record: Path) -> None:
    """Fine-tune one teacher for one task."""
    config = read_block(f"teacher.{teacher}.finetune", FinetuneConfig)
    file = read_file_teacher(base)
    if not is_main_process():
        if file is None:
            _finetune(config, data, base, work, adapter)
        return
    with publish_folder(adapter) as folder:
        if file is None:
            _finetune(config, data, base, work, folder)
        else:
            write_json(folder / "finetune.json", {"base": file.identity, "labels": read_labels(data)})
    # What the report tells of the teacher, for those who pull the cache but not the adapter.
    details = json.loads((adapter / "finetune.json").read_text(encoding="utf-8"))
    write_record(record, "finetune", details={"finetune": details}, task=task, teacher=teacher)
    shutil.rmtree(work, ignore_errors=True)  # the epochs, which nothing will go on from


def _finetune(config: FinetuneConfig, data: Path, base: Path, work: Path, folder: Path) -> None:
    from teacher_cache.teacher.finetune.adapter import finetune

    finetune(config, base, read_labelled(data), read_labels(data), read_seed(), work, folder)


if __name__ == "__main__":
    run(main, "finetune")
