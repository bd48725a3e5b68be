"""One pass of the fine-tuned teacher over all examples -> a teacher cache.

In: examples.parquet, base, adapter.  Out: capture(), Capture, spot_check_cache().
Imports: torch, accelerate, the cache's writer.

Parts are dealt to the processes, and a part is always computed from the same batches, so the finished folder has the
same bytes for one process and for many, for an interrupted run and for an undisturbed one.
"""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from accelerate import PartialState

from teacher_cache.errors import UserError
from teacher_cache.manifest import Manifest, fingerprint_examples, read_manifest
from teacher_cache.quality import QualityTally
from teacher_cache.reader import open_cache
from teacher_cache.schema import EXAMPLES, SPLITS, require_schema
from teacher_cache.teacher.batches import plan_batches
from teacher_cache.teacher.classifier import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from teacher_cache.teacher.config import CaptureConfig
from teacher_cache.teacher.identity import hash_files
from teacher_cache.teacher.predict import Teacher, load_teacher, read_record
from teacher_cache.teacher.progress import track
from teacher_cache.writer import Job, Staging, lock_job, remove_other_stagings

LIBRARIES = ("accelerate", "peft", "pyarrow", "tokenizers", "torch", "transformers")

# The gate before publishing: this many rows are computed again by a teacher that was loaded from disk anew.
GATE_ROWS = 64
GATE_TOLERANCE = {"float32": 1e-4, "bfloat16": 5e-2, "float16": 1e-2}
# And the validation NLL may differ from the one that fine-tuning saw by this much (nats): merging and another
# precision move it by thousandths, an adapter that lost its head by tenths.
GATE_NLL = 0.02


@dataclass(frozen=True)
class Capture:
    """What is captured, and from where: `examples` is a file, `base` and `adapter` are folders."""

    task: str
    teacher: str
    examples: Path
    base: Path
    adapter: Path
    config: CaptureConfig


def capture(request: Capture, work: Path, folder: Path) -> Manifest | None:
    """Write the teacher's cache of all examples to `folder`, going on from the parts that `work` holds.

    Returns:
        The manifest in the main process, None in the others.

    Raises:
        UserError: another writer is at work; logits are not finite; a teacher loaded from disk anew says otherwise.
    """
    state = PartialState(cpu=not torch.cuda.is_available())
    require_schema(pq.read_schema(request.examples), EXAMPLES, request.examples)
    job = plan_job(request)
    if not state.is_main_process:
        compute_parts(request, Staging(job, work, _makers()), state)
        state.wait_for_everyone()
        return None
    with lock_job(work):
        staging = Staging(job, work, _makers())
        remove_other_stagings(staging)
        compute_parts(request, staging, state)
        state.wait_for_everyone()
        quality = measure_quality(staging)
        check_reload(request, staging, quality)
        return staging.publish(folder, quality, _versions())


def plan_job(request: Capture) -> Job:
    """The job's identity: whatever of the inputs can change a number."""
    record = read_record(request.adapter)
    file = pq.ParquetFile(request.examples)
    return Job(
        task=request.task,
        teacher=request.teacher,
        labels=tuple(record["labels"]),
        rows=file.metadata.num_rows,
        rows_per_part=request.config.rows_per_part,
        hidden=0,
        identity={
            "examples": fingerprint_examples(file.iter_batches()),
            "base": record["base"],
            "adapter": _hash_adapter(request.adapter),
            "prompt": record["prompt"],
            "max_length": record["max_length"],
            "padding_side": "right",
            "merged": True,
            "dtype": request.config.dtype,
            "tokens_per_batch": request.config.tokens_per_batch,
            "device": "cuda" if torch.cuda.is_available() else "cpu",
        },
    )


def compute_parts(request: Capture, staging: Staging, state: PartialState) -> None:
    """Compute this process's share of the parts that are missing."""
    missing = staging.find_missing()
    # Every process must have looked before any of them makes a part, or their shares would overlap.
    state.wait_for_everyone()
    own = missing[state.process_index :: state.num_processes]
    if not own:
        return
    teacher = load_teacher(request.base, request.adapter, request.config.dtype)
    label = f"cache_teacher: {request.task}, {request.teacher}"
    for index in track(own, label, "part", state.is_main_process):
        batch = read_rows(request.examples, index * staging.job.rows_per_part, staging.job.rows_of(index))
        logits = compute_logits(teacher, batch.column("text").to_pylist(), request.config.tokens_per_batch)
        require_finite(logits, batch.column("example_id"))
        staging.write_part(
            index,
            {name: batch.column(name) for name in ("example_id", "split", "label")}
            | {"logits": _to_column(logits), "probabilities": _to_column(softmax(logits))},
        )


def read_rows(path: Path, start: int, rows: int) -> pa.Table:
    """Rows `start` to `start + rows` of a Parquet file; only the row groups that hold them are read."""
    file = pq.ParquetFile(path)
    first = seen = 0
    groups: list[int] = []
    for group in range(file.num_row_groups):
        size = file.metadata.row_group(group).num_rows
        if seen + size > start and seen < start + rows:
            first = seen if not groups else first
            groups.append(group)
        seen += size
    return file.read_row_groups(groups).slice(start - first, rows).combine_chunks()


def compute_logits(teacher: Teacher, texts: Sequence[str], tokens_per_batch: int) -> np.ndarray:
    """Float32 logits (rows, classes) of `texts`, computed in batches of like length and put back in order."""
    tokens = teacher.tokenize(texts)
    logits = np.empty((len(tokens), len(teacher.labels)), np.float32)
    for rows in plan_batches([len(row) for row in tokens], tokens_per_batch):
        logits[rows] = teacher.logits([tokens[row] for row in rows])
    return logits


def softmax(logits: np.ndarray) -> np.ndarray:
    """Softmax over the last axis at temperature 1, computed in float64 and rounded to float32 once."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    exponentials = np.exp(shifted)
    return (exponentials / exponentials.sum(axis=-1, keepdims=True)).astype(np.float32)


def require_finite(logits: np.ndarray, example_ids: pa.ChunkedArray) -> None:
    """Refuse NaN and infinity, naming the first examples that have them."""
    bad = np.flatnonzero(~np.isfinite(logits).all(axis=1))
    if len(bad):
        names = ", ".join(example_ids[int(row)].as_py().hex() for row in bad[:3])
        raise UserError(
            f"logits must be finite, got NaN or infinity for {len(bad)} examples: {names}; take dtype float32"
        )


def measure_quality(staging: Staging) -> dict[str, dict[str, float]]:
    """The teacher's quality on each split, from the finished parts, one part in memory at a time."""
    tallies = {split: QualityTally() for split in SPLITS}
    for table in staging.iter_parts():
        probabilities, label = _to_matrix(table["probabilities"]), table["label"].to_numpy()
        split = np.array(table["split"].to_pylist())
        for name, tally in tallies.items():
            tally.add(label[split == name], probabilities[split == name])
    return {name: tally.result() for name, tally in tallies.items() if tally.rows}


def check_reload(request: Capture, staging: Staging, quality: dict[str, dict[str, float]]) -> None:
    """The gate: a teacher loaded from disk anew must give the cached logits, and fine-tuning's own validation NLL.

    Raises:
        UserError: it does not, as when a head was not saved with its adapter.
    """
    found, expected = quality["validation"]["nll"], read_record(request.adapter)["metrics"]["validation"]["nll"]
    if not abs(found - expected) <= GATE_NLL:
        raise UserError(
            f"{request.adapter}: validation NLL must be {expected:.4f} within {GATE_NLL}, as when it was fine-tuned, "
            f"got {found:.4f}; run stage finetune again"
        )
    table = next(staging.iter_parts())
    texts = read_rows(request.examples, 0, len(table)).column("text")
    rows = _spread(len(table), GATE_ROWS)
    teacher = load_teacher(request.base, request.adapter, request.config.dtype)
    require_same_logits(teacher, texts.take(rows).to_pylist(), _to_matrix(table["logits"])[rows], request.config)


def spot_check_cache(folder: Path, examples: pa.Table, base: Path, adapter: Path, rows: int) -> dict[str, float]:
    """Compute `rows` rows of the cache in `folder` again, spread evenly over it.

    Returns:
        The number of rows computed, and the largest difference of a logit.

    Raises:
        UserError: a logit differs by more than its dtype's rounding, or teacher and cache do not belong together.
    """
    identity = read_manifest(folder).identity
    cache = open_cache(
        folder, {"identity.base": read_record(adapter)["base"], "identity.adapter": _hash_adapter(adapter)}
    )
    chosen = _spread(cache.manifest.rows, rows)
    config = CaptureConfig(dtype=identity["dtype"], tokens_per_batch=identity["tokens_per_batch"])
    texts = examples["text"].take(chosen).to_pylist()
    teacher = load_teacher(base, adapter, config.dtype)
    off = require_same_logits(teacher, texts, cache.read().logits[chosen], config)
    return {"rows": len(chosen), "largest_difference": off}


def require_same_logits(teacher: Teacher, texts: Sequence[str], cached: np.ndarray, config: CaptureConfig) -> float:
    """The largest difference between the cached logits of `texts` and new ones; a UserError beyond the tolerance."""
    logits = compute_logits(teacher, texts, config.tokens_per_batch)
    off = float(np.abs(logits - cached).max())
    tolerance = GATE_TOLERANCE[config.dtype]
    if not np.allclose(logits, cached, atol=tolerance, rtol=tolerance):
        raise UserError(f"computed again, logits must be the cached ones within {tolerance}, got {off:.3g} off")
    return off


def _spread(rows: int, chosen: int) -> np.ndarray:
    """At most `chosen` row numbers, evenly spread over `rows`."""
    return np.linspace(0, rows - 1, min(chosen, rows)).astype(int)


def _hash_adapter(adapter: Path) -> str:
    return hash_files([adapter / ADAPTER_CONFIG, adapter / ADAPTER_WEIGHTS])


def _to_column(matrix: np.ndarray) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel()), matrix.shape[1])


def _to_matrix(column: pa.ChunkedArray) -> np.ndarray:
    return np.concatenate([chunk.flatten().to_numpy().reshape(len(chunk), -1) for chunk in column.chunks])


def _versions() -> dict[str, str]:
    return {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}


def _makers() -> dict[str, str]:
    """What computes the numbers: a part that other code or other libraries made is not reused."""
    here = Path(__file__).parent
    code = [here / name for name in ("batches.py", "capture.py", "classifier.py", "predict.py", "registry.py")]
    return {**_versions(), "code": hash_files(code)}
