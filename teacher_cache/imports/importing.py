"""Gathered answers -> a teacher cache, by the writer of every cache.

In: a task's examples, somebody's answers.  Out: Examples, read_rows_of(), take_rows_of(), Import, import_answers().
Imports: pyarrow, NumPy.

An example of train or pool that nobody answered has no row, and the manifest names it.
"""

import logging
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from teacher_cache.distributions import softmax
from teacher_cache.errors import UserError
from teacher_cache.imports.gathering import Gathering
from teacher_cache.manifest import Manifest, fingerprint_examples
from teacher_cache.quality import QualityTally
from teacher_cache.reader import ids_to_numpy, labels_to_numpy, open_cache
from teacher_cache.schema import (
    EXAMPLE_ID_BYTES,
    LABELLED_SPLITS,
    NO_LABEL,
    SPLITS,
    require_examples,
)
from teacher_cache.versions import read_version
from teacher_cache.writer import Job, Staging, lock_job, remove_leftovers

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Examples:
    """Examples without their texts, in the rising order of their ids.

    ids: (rows,) V16.  splits: int8, index into SPLITS.  labels: int32, NO_LABEL in the pool.
    `fingerprint` is that of the whole examples, `left_out` names those that are not among the rows.
    """

    ids: np.ndarray
    splits: np.ndarray
    labels: np.ndarray
    fingerprint: str
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Import:
    """Whose answers become a cache: `base` is the identity of the file and of what its columns mean.

    `missing` says what happens where a text of validation or test has no answer.
    """

    task: str
    teacher: str
    labels: tuple[str, ...]
    base: Mapping[str, Any]
    missing: Literal["refuse", "drop"] = "refuse"
    rows_per_part: int = 2048


def read_rows_of(path: Path) -> Examples:
    """The examples of a task's examples.parquet.

    Raises:
        UserError: it is none.
    """
    file = pq.ParquetFile(path)
    require_examples(file.schema_arrow, path)
    rows = file.read(["example_id", "split", "label"])
    splits = pc.index_in(rows["split"].cast(pa.string()), pa.array(SPLITS)).to_numpy().astype(np.int8)
    fingerprint = fingerprint_examples(file.iter_batches())
    return Examples(ids_to_numpy(rows["example_id"]), splits, labels_to_numpy(rows["label"]), fingerprint)


def take_rows_of(cache: Path) -> tuple[Examples, Manifest]:
    """The examples of another teacher's cache: a member may have no texts."""
    opened = open_cache(cache, {})
    rows = opened.read()
    order = np.argsort(rows.example_id)
    ids, splits, labels = (column[order] for column in (rows.example_id, rows.split, rows.label))
    found = Examples(ids, splits, labels, opened.manifest.identity["examples"], opened.manifest.left_out)
    return found, opened.manifest


def import_answers(request: Import, examples: Examples, answers: Gathering, work: Path, folder: Path) -> Manifest:
    """Write the cache of all examples that have an answer to `folder`, going on from the parts that `work` holds.

    Raises:
        UserError: another writer is at work, or too few texts have an answer.
    """
    label = f"{request.task}, {request.teacher}"
    LOG.info(
        "cache_teacher: %s: %s", label, ", ".join(f"{count} {what}" for what, count in answers.counts.items() if count)
    )
    without = _require_answers(request, examples, answers.answered)
    job = _plan_job(request, examples, answers, without)
    versions = {"python": platform.python_version(), **{name: version(name) for name in ("numpy", "pyarrow")}}
    rows = np.flatnonzero(answers.answered)
    with lock_job(work):
        staging = Staging(job, work, {**versions, "cache_teacher": str(read_version("cache_teacher"))})
        remove_leftovers(staging, folder)
        tallies = {split: QualityTally() for split in LABELLED_SPLITS}
        missing = set(staging.find_missing())
        for index in range(job.parts):
            chosen = rows[index * job.rows_per_part :][: job.rows_of(index)]
            logits, probabilities = answers.logits[chosen], softmax(answers.logits[chosen])
            splits, labels = examples.splits[chosen], examples.labels[chosen]
            for name, tally in tallies.items():
                of_split = splits == SPLITS.index(name)
                tally.add(labels[of_split], probabilities[of_split])
            if index in missing:
                columns = {"logits": _to_column(logits), "probabilities": _to_column(probabilities)}
                staging.write_part(index, _make_columns(examples.ids[chosen], splits, labels) | columns)
        return staging.publish(folder, {name: tally.result() for name, tally in tallies.items()}, versions)


def _require_answers(request: Import, examples: Examples, answered: np.ndarray) -> dict[str, int]:
    """How many texts of each split have no answer; refused where that must not be."""
    without: dict[str, int] = {}
    for index, split in enumerate(SPLITS):
        of_split = examples.splits == index
        lacking = np.flatnonzero(of_split & ~answered)
        if len(lacking):
            without[split] = len(lacking)
        if split in LABELLED_SPLITS and len(lacking) == of_split.sum():
            raise UserError(
                f"texts of split {split} must have answers, got none for any of {len(lacking)}; {int(answered.sum())} "
                f"of all {len(answered)} texts have one: are they this task's texts?"
            )
        if split in ("validation", "test") and len(lacking) and request.missing == "refuse":
            raise UserError(
                f"every text of split {split} must have an answer, got none for {len(lacking)} of {of_split.sum()} "
                f"(first example_id {examples.ids[lacking[0]].tobytes().hex()}); base.missing: drop leaves them out of "
                "every comparison"
            )
    if without:
        LOG.info(
            "cache_teacher: %s, %s: texts without an answer are left out: %s; nothing learns from them or is tested on "
            "them, what reads labels alone neither",
            *(request.task, request.teacher, ", ".join(f"{count} of {split}" for split, count in without.items())),
        )
    return without


def _plan_job(request: Import, examples: Examples, answers: Gathering, without: Mapping[str, int]) -> Job:
    answered = answers.answered
    left_out = examples.ids[~answered].tobytes()
    ids = (left_out[start : start + EXAMPLE_ID_BYTES].hex() for start in range(0, len(left_out), EXAMPLE_ID_BYTES))
    return Job(
        task=request.task,
        teacher=request.teacher,
        labels=request.labels,
        rows=int(answered.sum()),
        rows_per_part=request.rows_per_part,
        hidden=0,
        identity={
            "examples": examples.fingerprint,
            "base": dict(request.base),
            "import": {**answers.counts, "left_out": dict(without)},
        },
        left_out=tuple(sorted({*examples.left_out, *ids})),
    )


def _make_columns(ids: np.ndarray, splits: np.ndarray, labels: np.ndarray) -> dict[str, pa.Array]:
    kind = pa.binary(EXAMPLE_ID_BYTES)
    return {
        "example_id": pa.FixedSizeBinaryArray.from_buffers(kind, len(ids), [None, pa.py_buffer(ids.tobytes())]),
        "split": pa.DictionaryArray.from_arrays(splits, pa.array(SPLITS)),
        "label": pa.array(labels, mask=labels == NO_LABEL),
    }


def _to_column(matrix: np.ndarray) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel()), matrix.shape[1])
