"""A small teacher cache, made without a teacher."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from teacher_cache.schema import SPLITS
from teacher_cache.sealed import write_sealed
from teacher_cache.writer import Job, Staging

ROWS, ROWS_PER_PART, CLASSES = 25, 10, 3
MAKERS = {"code": "1"}
LEFT_OUT = ("0f" * 16, "f0" * 16)
QUALITY = {"test": {"accuracy": 0.5}}


def make_job(**changes) -> Job:
    fields = {
        "task": "weather",
        "teacher": "sage",
        "labels": ("dry", "wet", "icy"),
        "rows": ROWS,
        "rows_per_part": ROWS_PER_PART,
        "hidden": 0,
        "identity": {"base": "b" * 64, "dtype": "float32"},
        "left_out": LEFT_OUT,
    }
    return Job(**{**fields, **changes})


def make_columns(job: Job, index: int) -> dict[str, pa.Array]:
    """Rows that are a function of the part's index alone, some of them of the pool."""
    rows = job.rows_of(index)
    random = np.random.default_rng(index)
    logits = random.normal(size=(rows, CLASSES)).astype(np.float32)
    exponentials = np.exp(logits.astype(np.float64))
    probabilities = (exponentials / exponentials.sum(1, keepdims=True)).astype(np.float32)
    split = random.integers(0, 4, rows).astype(np.int8)
    return {
        "example_id": pa.array([bytes([index, row]) * 8 for row in range(rows)], pa.binary(16)),
        "split": pa.DictionaryArray.from_arrays(split, pa.array(SPLITS)),
        "label": pa.array(random.integers(0, CLASSES, rows), pa.int32(), mask=split == SPLITS.index("pool")),
        "logits": pa.FixedSizeListArray.from_arrays(pa.array(logits.ravel()), CLASSES),
        "probabilities": pa.FixedSizeListArray.from_arrays(pa.array(probabilities.ravel()), CLASSES),
    }


def fill(staging: Staging) -> list[int]:
    """Compute what is missing; returns the indices of the parts that were."""
    missing = staging.find_missing()
    for index in missing:
        staging.write_part(index, make_columns(staging.job, index))
    return missing


def edit_manifest(folder, **changes):
    """Change fields and seal the manifest anew, as a forger would."""
    path = folder / "manifest.json"
    content = {**json.loads(path.read_text()), **changes}
    del content["seal"]
    write_sealed(path, content)


@pytest.fixture
def make_cache(tmp_path: Path) -> Callable[..., Path]:
    """Write a cache of a job with changes and return its folder."""

    def make(name: str = "cache", **changes) -> Path:
        staging = Staging(make_job(**changes), tmp_path / "work" / name, MAKERS)
        fill(staging)
        staging.publish(tmp_path / name, QUALITY, {"pyarrow": "1"})
        return tmp_path / name

    return make
