"""What the faults are done to: a capture of many small parts by a real, tiny teacher.

In: a folder.  Out: Subject, make_subject(), write_inputs(), read_bytes(), read_numbers().
Imports: the teacher, pyarrow.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from teacher_cache.publish import publish_folder
from teacher_cache.reader import open_cache
from teacher_cache.schema import EXAMPLES, SPLITS
from teacher_cache.teacher.base import make_base
from teacher_cache.teacher.capture import Capture, capture
from teacher_cache.teacher.config import CaptureConfig, FinetuneConfig, LocalBase
from teacher_cache.teacher.finetune import finetune
from tests.faults.workers import run_worker

ROWS, ROWS_PER_PART = 240, 8
LABELS = ["bad", "good"]
WORDS = [["rain", "storm", "cold"], ["sun", "warm", "bright"]]
BASE = LocalBase(kind="local", architecture="llama", layers=1, width=32, heads=2, vocabulary=300, epochs=1)
FINETUNE = FinetuneConfig(rank=4, alpha=8, epochs=2, learning_rate=5e-3, train_embeddings=True, max_length=32)


@dataclass(frozen=True)
class Subject:
    """A capture, the cache that it makes where nothing disturbs it, and the seconds that took."""

    request: Capture
    cache: Path
    seconds: float

    @property
    def bytes(self) -> dict[str, bytes]:
        """The undisturbed cache, byte by byte."""
        return read_bytes(self.cache)

    def copy(self, folder: Path) -> Path:
        """A copy of the undisturbed cache, to be damaged."""
        return Path(shutil.copytree(self.cache, folder))

    def read(self, folder: Path) -> list[bytes]:
        """The numbers of the cache in `folder`, as who expects this subject's reads them."""
        identity = {f"identity.{name}": value for name, value in open_cache(self.cache, {}).manifest.identity.items()}
        expected = {"task": self.request.task, "teacher": self.request.teacher, "labels": LABELS}
        cache = open_cache(folder, expected | identity)
        rows = cache.read()
        return [
            array.tobytes() for array in (rows.example_id, rows.split, rows.label, rows.logits, rows.probabilities)
        ]


def make_subject(folder: Path, rows: int = ROWS, seed: int = 1) -> Subject:
    """Train a one-layer LLaMA and its adapter, and capture it undisturbed, in workers: this process computes nothing.

    Args:
        folder: receives inputs and cache.
        rows: number of examples; ROWS_PER_PART of them make a part.
        seed: of the texts and of the training: another one is another teacher.
    """
    request = Capture(
        "weather",
        f"sage{seed}",
        folder / "examples.parquet",
        folder / "base",
        folder / "adapter",
        CaptureConfig(rows_per_part=ROWS_PER_PART, tokens_per_batch=64),
    )
    for step in ((write_inputs, folder, rows, seed), (capture, request, folder / "work", folder / "cache")):
        verdict = run_worker(*step)
        if verdict.kind != "done":
            raise RuntimeError(verdict.message)
    return Subject(request, folder / "cache", verdict.seconds)


def write_inputs(folder: Path, rows: int, seed: int) -> None:
    """Write examples.parquet, base and adapter into `folder`."""
    random = np.random.default_rng(seed)
    labels = [row % 2 for row in range(rows)]
    texts = [
        " ".join(random.choice(WORDS[label], random.integers(1, 12))) + f" {row}" for row, label in enumerate(labels)
    ]
    split = pa.DictionaryArray.from_arrays(
        np.array([row % 5 // 3 + row % 5 // 4 for row in range(rows)], np.int8), pa.array(SPLITS)
    )
    ids = [row.to_bytes(16) for row in range(rows)]
    table = pa.Table.from_arrays(
        [pa.array(ids, pa.binary(16)), split, pa.array(labels, pa.int32()), pa.array(texts)], schema=EXAMPLES
    )
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, folder / "examples.parquet", row_group_size=20)
    with publish_folder(folder / "base") as place:
        make_base(BASE, texts, seed, place)
    with publish_folder(folder / "adapter") as place:
        finetune(FINETUNE, folder / "base", table, LABELS, seed, folder / "epochs", place)


def read_bytes(folder: Path) -> dict[str, bytes]:
    """The files of `folder` by name; none where there is no such folder."""
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*"))}
