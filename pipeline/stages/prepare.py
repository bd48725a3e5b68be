"""Stage prepare: a task's sources -> its examples, its classes' names, what is hidden or instructed, the data card.

Run as dvc.yaml does: python -m pipeline.stages.prepare --task T --data FOLDER --card FILE --record FILE
"""

import logging
from pathlib import Path

import click
import pyarrow.parquet as pq

from pipeline.corpus.card import describe_losses
from pipeline.corpus.examples import build_examples
from pipeline.corpus.hidden_labels import write_hidden_labels
from pipeline.corpus.instructions import write_instructions
from pipeline.corpus.task_config import PrepareConfig, TaskConfig
from pipeline.entry import PATH, require, run, write_record
from pipeline.params import read_block, read_seed
from teacher_cache.publish import publish_folder, write_json
from teacher_cache.reader import ids_to_numpy

LOG = logging.getLogger(__name__)


@click.command()
@require("task")
@require("data", "card", "record", kind=PATH)
def main(task: str, data: Path, card: Path, record: Path) -> None:
    """Clean, label and split the text of one task."""
    config, prepare, seed = read_block(f"task.{task}", TaskConfig), read_block("prepare", PrepareConfig), read_seed()
    examples = build_examples(task, config, prepare, seed, Path())
    for line in describe_losses(examples.card):
        LOG.warning("prepare: %s", line)
    with publish_folder(data) as folder:
        pq.write_table(examples.table, folder / "examples.parquet", compression="zstd")
        write_json(folder / "labels.json", {"task": task, "labels": examples.labels})
        if len(examples.hidden[0]):
            write_hidden_labels(folder / "hidden_labels.parquet", *examples.hidden)
        if config.instructed:
            write_instructions(folder, task, config, prepare.rules, seed, ids_to_numpy(examples.table["example_id"]))
    write_json(card, examples.card)
    write_record(record, "prepare", task=task)


if __name__ == "__main__":
    run(main, "prepare")
