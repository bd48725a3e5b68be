"""What every golden input begins with: the examples, params.yaml, and how outputs are kept.

In: blocks of params.yaml.  Out: run_stage(), write_params(), read_texts(), write_examples(), hash_values(),
round_numbers().  Imports: numpy, pyarrow, the stages by name.
"""

import hashlib
import json
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from teacher_cache.publish import write_json
from tests.teacher_cache.teacher.conftest import LABELS, make_examples

SEED = 7

# Fewer rows leave nothing to learn from, more take seconds.
ROWS = 60


def run_stage(stage: str, **options: str) -> None:
    """Run a stage's own command in this process."""
    arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
    import_module(f"pipeline.stages.{stage}").main(arguments, standalone_mode=False)


def write_params(**blocks: Any) -> None:
    Path("params.yaml").write_text(json.dumps({"seed": SEED, **blocks}))  # JSON is YAML


def read_texts() -> tuple[list[str], list[int]]:
    table = make_examples(ROWS)
    return table["text"].to_pylist(), table["label"].to_pylist()


def write_examples() -> None:
    Path("data").mkdir()
    pq.write_table(make_examples(ROWS), "data/examples.parquet")
    write_json(Path("data/labels.json"), {"task": "topics", "labels": LABELS})


def hash_values(*columns: Sequence[bytes | str]) -> str:
    return hashlib.sha256(json.dumps([[str(value) for value in column] for column in columns]).encode()).hexdigest()


def round_numbers(values: Any) -> Any:
    """Nested lists of six digits: what tells one outcome from another, in few bytes."""
    return json.loads(
        json.dumps(np.asarray(values, float).tolist()), parse_float=lambda text: float(f"{float(text):.6g}")
    )
