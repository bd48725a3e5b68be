"""Labelled texts beside a task's own, which its local bases alone have read before they are fine-tuned.

In: a generated task, its examples' ids.  Out: INSTRUCTIONS, write_instructions(), read_instructions().
Imports: pyarrow, numpy.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.corpus.clean import Text, clean
from pipeline.corpus.sources import INSTRUCTED_SEED, generate_rows
from pipeline.corpus.task_config import GeneratedSource, TaskConfig
from teacher_cache.text import TextRules

INSTRUCTIONS = "instructions.parquet"


def write_instructions(folder: Path, name: str, task: TaskConfig, rules: TextRules, seed: int, ids: np.ndarray) -> None:
    """Write the texts that `task.instructed` asks for, with their class's name; less those that the task itself has.

    Args:
        folder: of the task's data.
        name: the task.
        task: where it says how many, and a generator.
        rules: of its texts.
        seed: that of the task's own texts.
        ids: (rows,) of dtype V16, those of the task's examples, whatever their split.
    """
    assert isinstance(task.source, GeneratedSource)  # TaskConfig sees to it
    rows = generate_rows(task.source.generator, task.instructed or 0, seed + INSTRUCTED_SEED)
    found = clean(name, (Text(row.text, task.labels.index(str(row.label))) for row in rows), rules, grouped=False)
    new = np.flatnonzero(np.isin(found.ids, ids, invert=True))
    labels = pa.array(task.labels).take(pa.array(found.classes[new]))
    table = pa.table({"text": found.texts.take(pa.array(new)).cast(pa.string()), "label": labels})
    pq.write_table(table, folder / INSTRUCTIONS, compression="zstd")


def read_instructions(folder: Path) -> list[tuple[str, str]]:
    """Texts with their class's name; none where the task has no such file."""
    path = folder / INSTRUCTIONS
    if not path.exists():
        return []
    table = pq.read_table(path)
    return list(zip(table["text"].to_pylist(), table["label"].to_pylist(), strict=True))
