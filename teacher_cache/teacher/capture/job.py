"""One pass of the fine-tuned teacher over all examples -> a teacher cache.

In: examples.parquet, base, adapter.  Out: capture(), Capture.
Imports: torch, accelerate, the cache's writer.

Parts are dealt to the processes, and a part is always computed from the same batches, so the finished folder has the
same bytes for one process and for many, for an interrupted run and for an undisturbed one.
"""

import logging
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from accelerate import PartialState
from transformers import AutoConfig

from teacher_cache.distributions import softmax
from teacher_cache.errors import UserError
from teacher_cache.manifest import Manifest, fingerprint_examples
from teacher_cache.quality import QualityTally
from teacher_cache.reader import labels_to_numpy
from teacher_cache.schema import LABELLED_SPLITS, require_examples
from teacher_cache.teacher.base.checkpoints import find_base
from teacher_cache.teacher.base.gguf_file import split_place
from teacher_cache.teacher.capture.answering import Teacher, load_teacher, read_record
from teacher_cache.teacher.capture.gate import check_reload, hash_adapter
from teacher_cache.teacher.capture.inference import compute_answers, read_rows, require_finite, to_matrix
from teacher_cache.teacher.progress import track
from teacher_cache.teacher.sharding import is_sharded
from teacher_cache.teacher.teacher_config import CaptureConfig
from teacher_cache.teacher.torch_device import describe_slowness
from teacher_cache.versions import read_version
from teacher_cache.writer import Job, Staging, lock_job, remove_leftovers

log = logging.getLogger(__name__)
LIBRARIES = ("accelerate", "peft", "pyarrow", "tokenizers", "torch", "transformers")


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
    require_examples(pq.read_schema(request.examples), request.examples)
    job = plan_job(request)
    if not state.is_main_process:
        compute_parts(request, open_staging(job, work), state)
        state.wait_for_everyone()
        if is_sharded():  # the main process's gate needs this one's slices too
            load_teacher(request.base, request.adapter, request.config.dtype).lend()
        return None
    with lock_job(work):
        staging = open_staging(job, work)
        remove_leftovers(staging, folder)
        compute_parts(request, staging, state)
        state.wait_for_everyone()
        return publish_cache(request, staging, folder)


def open_staging(job: Job, work: Path) -> Staging:
    """The parts of `job` in `work` that were made by this code with these libraries."""
    return Staging(job, work, _makers())


def publish_cache(request: Capture, staging: Staging, folder: Path) -> Manifest:
    """Make `folder` the cache of the parts in `staging`, all of which are there, once the gate has let them pass.

    Raises:
        UserError: a teacher loaded from disk anew says otherwise.
    """
    quality = measure_quality(staging)
    first = next(staging.iter_parts())
    texts = read_rows(request.examples, 0, len(first)).column("text").to_pylist()
    cached = {name: to_matrix(first[name]) for name in ("logits", "hidden") if name in first.column_names}
    check_reload(request.base, request.adapter, request.config, texts, cached, quality)
    return staging.publish(folder, quality, _versions())


def plan_job(request: Capture) -> Job:
    """The job's identity: whatever of the inputs can change a number."""
    record = read_record(request.adapter)
    hidden = _describe_hidden(request)
    file = pq.ParquetFile(request.examples)
    return Job(
        task=request.task,
        teacher=request.teacher,
        labels=tuple(record["labels"]),
        rows=file.metadata.num_rows,
        rows_per_part=request.config.rows_per_part,
        hidden=len(request.config.hidden_layers) * hidden.get("hidden_width", 0),
        identity={
            "examples": fingerprint_examples(file.iter_batches()),
            "base": record["base"],
            "adapter": hash_adapter(request.adapter),
            "prompt": record["prompt"],
            "max_length": record["max_length"],
            **({"cut": record["cut"]} if "cut" in record else {}),
            "padding_side": "right",
            "merged": "quantization" not in record["base"],
            "dtype": request.config.dtype,
            "tokens_per_batch": request.config.tokens_per_batch,
            "device": "cuda" if torch.cuda.is_available() else "cpu",
            **hidden,
        },
    )


def _describe_hidden(request: Capture) -> dict[str, Any]:
    """The identity of the hidden states, empty where none are asked for.

    Raises:
        UserError: the base has no layer of such a number.
    """
    layers = request.config.hidden_layers
    if not layers:
        return {}
    folder, file = split_place(find_base(request.base)[0])
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False, **file).get_text_config()
    if layers[-1] > config.num_hidden_layers:
        raise UserError(
            f"cache_teacher.hidden_layers must be from 0 to {config.num_hidden_layers}, the layers of the base, "
            f"got {layers[-1]}"
        )
    if layers[-1] == config.num_hidden_layers and getattr(config, "word_embed_proj_dim", None) not in (
        None,
        config.hidden_size,
    ):
        raise UserError(
            f"cache_teacher.hidden_layers must be < {config.num_hidden_layers} for this base, whose last layer is "
            f"{config.word_embed_proj_dim} wide where the others are {config.hidden_size}, got {layers[-1]}"
        )
    return {"hidden_layers": list(layers), "hidden_width": config.hidden_size, "hidden_pooling": "mean"}


def compute_parts(request: Capture, staging: Staging, state: PartialState) -> None:
    """Compute this process's share of the parts that are missing."""
    missing = staging.find_missing()
    # Every process must have looked before any of them makes a part, or their shares would overlap.
    state.wait_for_everyone()
    own = missing[state.process_index :: state.num_processes]
    if not (missing if is_sharded() else own):
        return
    teacher = load_teacher(request.base, request.adapter, request.config.dtype)
    label = f"cache_teacher: {request.task}, {request.teacher}"
    if state.is_main_process and (slow := describe_slowness(request.config.dtype)):
        log.warning("%s: %s (cache_teacher.dtype; another makes another cache)", label, slow)
    for index in track(own, label, "part", state.is_main_process):
        staging.write_part(index, compute_part(request, teacher, staging.job, index))
    if teacher.counts["cut"]:
        cut, texts = teacher.counts["cut"], teacher.counts["texts"]
        log.info("%s: %d of %d texts were cut to %d tokens", label, cut, texts, teacher.max_length)
    teacher.lend()


def compute_part(request: Capture, teacher: Teacher, job: Job, index: int) -> dict[str, pa.Array]:
    """The columns of part `index`: a function of the job alone, whoever computes it.

    Raises:
        UserError: a number is not finite.
    """
    batch = read_rows(request.examples, index * job.rows_per_part, job.rows_of(index))
    texts, config = batch.column("text").to_pylist(), request.config
    logits, hidden = compute_answers(teacher, texts, config.tokens_per_batch, config.hidden_layers)
    require_finite(logits, batch.column("example_id"))
    columns = {name: batch.column(name) for name in ("example_id", "split", "label")}
    columns |= {"logits": _to_column(logits), "probabilities": _to_column(softmax(logits))}
    if hidden is not None:
        require_finite(hidden, batch.column("example_id"), "hidden states")
        columns["hidden"] = _to_column(hidden)
    return columns


def measure_quality(staging: Staging) -> dict[str, dict[str, float]]:
    """The teacher's quality on each split that has labels, from the finished parts, one part in memory at a time."""
    tallies = {split: QualityTally() for split in LABELLED_SPLITS}
    for table in staging.iter_parts():
        probabilities, label = to_matrix(table["probabilities"]), labels_to_numpy(table["label"])
        split = np.array(table["split"].to_pylist())
        for name, tally in tallies.items():
            tally.add(label[split == name], probabilities[split == name])
    return {name: tally.result() for name, tally in tallies.items() if tally.rows}


def _to_column(matrix: np.ndarray) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel()), matrix.shape[1])


def _versions() -> dict[str, str]:
    return {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}


def _makers() -> dict[str, str]:
    """What computes the numbers: a part of another meaning or of other libraries is not reused."""
    return {**_versions(), "cache_teacher": str(read_version("cache_teacher"))}
