"""Reading what the stage prepare wrote.

In: a folder data/{task}.  Out: open_examples(), read_examples(), read_training(), read_labels().  Imports: pyarrow.
"""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from teacher_cache.errors import UserError
from teacher_cache.schema import require_examples


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


def read_training(folder: Path, most: int | None = None) -> tuple[list[str], list[int]]:
    """Texts and class indices of the training split: all that anything may be fitted on.

    Ids are hashes, so that the `most` first of them are a sample that depends on the texts alone.
    """
    texts: list[str] = []
    labels: list[int] = []
    for batch in open_examples(folder).iter_batches():
        training = batch.filter(pc.equal(batch["split"], "train"))
        texts += training["text"].to_pylist()
        labels += training["label"].to_pylist()
        if most is not None and len(texts) >= most:
            break
    return texts[:most], labels[:most]


def read_labels(folder: Path) -> list[str]:
    """The class names of a task, in class order."""
    return list(json.loads((folder / "labels.json").read_text(encoding="utf-8"))["labels"])
