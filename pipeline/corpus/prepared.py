"""Reading what the stage prepare wrote.

In: a folder data/{task}.  Out: open_examples(), read_examples(), read_labelled(), read_training(), read_labels().
Imports: pyarrow.
"""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from teacher_cache.errors import UserError
from teacher_cache.schema import NO_LABEL, require_examples

# What of a pool is learnt to read from; teachers answer all of it.
MOST_POOL = 100_000


def open_examples(folder: Path) -> pq.ParquetFile:
    """All examples of a task, in order of their ids (teacher_cache.schema), to be read batch by batch.

    Raises:
        UserError: the stage prepare has not run, or the file is not its own.
    """
    path = folder / "examples.parquet"
    if not path.is_file():
        raise UserError(f"{path} must exist; run `dvc repro prepare` or `dvc pull prepare`")
    file = pq.ParquetFile(path)
    require_examples(file.schema_arrow, path)
    return file


def read_examples(folder: Path) -> pa.Table:
    """The same, read.

    Raises:
        UserError: as open_examples.
    """
    return open_examples(folder).read()


def read_labelled(folder: Path) -> pa.Table:
    """The examples that have a label: all but the pool.

    Raises:
        UserError: as open_examples.
    """
    file = open_examples(folder)
    batches = (batch.filter(pc.not_equal(batch["split"], "pool")) for batch in file.iter_batches())
    return pa.Table.from_batches(batches, file.schema_arrow)


def read_training(folder: Path, most: int | None = None, pool: int = MOST_POOL) -> tuple[list[str], list[int]]:
    """Texts and class indices of the training split, behind them texts of the pool, whose index is NO_LABEL.

    That is all that anything may be fitted on. Ids are hashes, so that the first of them are a sample that depends on
    the texts alone.

    Args:
        folder: of the task's data.
        most: texts at most, those with a label before the others; None is all of the training split.
        pool: texts of the pool at most.
    """
    texts: list[str] = []
    labels: list[int] = []
    unlabelled: list[str] = []
    for batch in open_examples(folder).iter_batches(columns=["split", "label", "text"]):
        training = batch.filter(pc.equal(batch["split"], "train"))
        texts += training["text"].to_pylist()
        labels += training["label"].to_pylist()
        if most is not None and len(texts) >= most:
            return texts[:most], labels[:most]
        others = batch.filter(pc.equal(batch["split"], "pool"))["text"]
        unlabelled += others.slice(0, pool - len(unlabelled)).to_pylist()
    texts = [*texts, *unlabelled][:most]
    return texts, [*labels, *[NO_LABEL] * len(unlabelled)][:most]


def read_labels(folder: Path) -> list[str]:
    """The class names of a task, in class order."""
    return list(json.loads((folder / "labels.json").read_text(encoding="utf-8"))["labels"])
