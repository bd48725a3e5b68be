"""What the faults are done to: a capture of many small parts by a real, tiny teacher.

In: a folder.  Out: Subject, Ground, lay_ground(), make_subject(), read_bytes(), find_finished(),
wait_for_parts(), judge_resumption().
Imports: the teacher, pyarrow.
"""

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from teacher_cache.publish import publish_folder
from teacher_cache.reader import open_cache
from teacher_cache.schema import EXAMPLES, SPLITS
from teacher_cache.teacher.base.checkpoints import make_base
from teacher_cache.teacher.capture.job import Capture, capture
from teacher_cache.teacher.finetune.adapter import finetune
from teacher_cache.teacher.teacher_config import CaptureConfig, FinetuneConfig, LocalBase
from tests.faults.outcomes import Outcome
from tests.faults.workers import Verdict, Worker, run_worker

ROWS = 240
CONFIG = CaptureConfig(rows_per_part=8, tokens_per_batch=64)
LABELS = ["bad", "good"]
WORDS = [["rain", "storm", "cold"], ["sun", "warm", "bright"]]
BASE = LocalBase(kind="local", architecture="llama", layers=1, width=32, heads=2, vocabulary=300, epochs=1)
FINETUNE = FinetuneConfig(rank=4, alpha=8, epochs=2, learning_rate=5e-3, train_embeddings=True, max_length=32)


@dataclass(frozen=True)
class Subject:
    """A capture, the cache that it makes where nothing disturbs it, and the seconds that takes."""

    request: Capture
    cache: Path
    bytes: Mapping[str, bytes]
    seconds: float

    def copy_cache(self, folder: Path) -> Path:
        """A copy of the undisturbed cache, to be damaged."""
        return Path(shutil.copytree(self.cache, folder))

    def copy_inputs(self, folder: Path) -> Capture:
        """The same capture from copies of its inputs, to be damaged."""
        shutil.copytree(self.cache.parent, folder, ignore=shutil.ignore_patterns("cache", "work", "epochs"))
        return replace(
            self.request, examples=folder / "examples.parquet", base=folder / "base", adapter=folder / "adapter"
        )

    def read(self, folder: Path) -> list[bytes]:
        """All that the cache in `folder` says to who expects this subject's: its numbers, then its manifest's."""
        identity = {f"identity.{name}": value for name, value in open_cache(self.cache, {}).manifest.identity.items()}
        expected = {"task": self.request.task, "teacher": self.request.teacher, "labels": LABELS}
        cache = open_cache(folder, expected | identity)
        rows = cache.read()
        numbers = (rows.example_id, rows.split, rows.label, rows.logits, rows.probabilities)
        return [*(array.tobytes() for array in numbers), cache.manifest.fingerprint.encode()]


@dataclass(frozen=True)
class Ground:
    """Where the faults happen: a subject, another teacher's of the same examples, and a folder to work in.

    `truth` is what the subject's cache says.
    """

    subject: Subject
    foreign: Subject
    folder: Path
    truth: list[bytes]


def lay_ground(folder: Path) -> Ground:
    """Make all that the faults need in `folder`."""
    place = folder / "trials"
    place.mkdir(parents=True)
    subject = make_subject(folder / "subject", 1, None)
    foreign = make_subject(folder / "foreign", 2, subject.request.base)
    return Ground(subject, foreign, place, subject.read(subject.cache))


def make_subject(folder: Path, seed: int, base: Path | None) -> Subject:
    """Train a one-layer LLaMA and its adapter and capture it, in workers: this process computes nothing.

    Args:
        folder: receives inputs and cache.
        seed: of the training: another one is another teacher of the same examples.
        base: an earlier subject's, to be used again.
    """
    request = Capture(
        "weather",
        f"sage{seed}",
        folder / "examples.parquet",
        folder / "base",
        folder / "adapter",
        CONFIG,
    )
    for step in ((write_inputs, folder, seed, base), (capture, request, folder / "work", folder / "cache")):
        verdict = run_worker(*step)
        if verdict.kind != "done":
            raise RuntimeError(verdict.message)
    return Subject(request, folder / "cache", read_bytes(folder / "cache"), verdict.seconds)


def write_inputs(folder: Path, seed: int, base: Path | None) -> None:
    """Write examples.parquet, base and adapter into `folder`."""
    random = np.random.default_rng(0)
    labels = [row % 2 for row in range(ROWS)]
    texts = [
        " ".join(random.choice(WORDS[label], random.integers(1, 12))) + f" {row}" for row, label in enumerate(labels)
    ]
    split = pa.DictionaryArray.from_arrays(
        np.array([row % 5 // 3 + row % 5 // 4 for row in range(ROWS)], np.int8), pa.array(SPLITS)
    )
    ids = [row.to_bytes(16) for row in range(ROWS)]
    table = pa.Table.from_arrays(
        [pa.array(ids, pa.binary(16)), split, pa.array(labels, pa.int32()), pa.array(texts)], schema=EXAMPLES
    )
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, folder / "examples.parquet", row_group_size=20)
    if base is None:
        with publish_folder(folder / "base") as place:
            make_base(BASE, texts, seed, place)
    else:
        shutil.copytree(base, folder / "base")
    tune(folder, seed, folder / "epochs", folder / "adapter")


def tune(inputs: Path, seed: int, work: Path, adapter: Path) -> None:
    """Fine-tune the base of `inputs` as the stage does: the adapter appears in one rename."""
    table = pq.read_table(inputs / "examples.parquet")
    with publish_folder(adapter) as place:
        finetune(FINETUNE, inputs / "base", table, LABELS, seed, work, place)


def read_bytes(folder: Path) -> dict[str, bytes]:
    """The files of `folder` by name; none where there is no such folder."""
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*"))}


def find_finished(work: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of change of every finished part in the staging folders of `work`."""
    finished = {}
    for record in work.glob("*/done/part-*.json"):
        status = (record.parents[1] / "parts" / f"{record.stem}.parquet").stat()
        finished[record.stem] = (status.st_ino, status.st_mtime_ns)
    return finished


def wait_for_parts(worker: Worker, work: Path, parts: int) -> None:
    """Return when `parts` parts are finished in `work`, or the worker has ended."""
    while len(find_finished(work)) < parts and worker.process.is_alive():
        time.sleep(0.001)


def judge_resumption(
    subject: Subject, place: Path, kept: Mapping[str, tuple[int, int]], verdict: Verdict
) -> tuple[Outcome, str]:
    """What a second run in `place` came to: `kept` is what was finished before it, and must not be made again."""
    if verdict.kind != "done":
        return "failed", f"{verdict.kind}: {verdict.message}"
    if read_bytes(place / "cache") != subject.bytes:
        return "silent", "other bytes than the undisturbed run's"
    if not kept.items() <= find_finished(place / "work").items():
        return "failed", "a finished part was computed again"
    left = [path.name for path in [*place.rglob(".part-*"), *place.rglob(".cache.*")]]
    return ("failed", f"left behind: {left[:3]}") if left else ("correct", "")
