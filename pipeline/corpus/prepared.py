"""Reading what the stage prepare wrote.

In: a folder data/{task}.  Out: read_examples(), read_training(), read_labels().  Imports: pyarrow.
"""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from teacher_cache.errors import UserError
from teacher_cache.schema import EXAMPLES, require_schema


def read_examples(folder: Path) -> pa.Table:
    """All examples of a task, in order of their ids (schema EXAMPLES).

    Raises:
        UserError: the stage prepare has not run, or the file is not its own.
    """
    path = folder / "examples.parquet"
    if not path.is_file():
        raise UserError(f"{path} must exist; run `dvc repro prepare` or `dvc pull prepare`")
    table = pq.read_table(path)
    require_schema(table.schema, EXAMPLES, path)
    return table


def read_training(folder: Path) -> tuple[list[str], list[int]]:
    """Texts and class indices of the training split: all that anything may be fitted on."""
    examples = read_examples(folder)
    training = examples.filter(pc.equal(examples["split"], "train"))
    return training["text"].to_pylist(), training["label"].to_pylist()


def read_labels(folder: Path) -> list[str]:
    """The class names of a task, in class order."""
    return list(json.loads((folder / "labels.json").read_text(encoding="utf-8"))["labels"])
