"""The gate before publishing, and the spot check after it: rows computed again by a teacher loaded from disk anew.

Whole batches are computed again, for in half precision a text's logits depend on the texts beside it: on an H100 those
of an 8B network of random weights moved by 0.1 in other company, and by nothing in the same.

In: the quality and the parts of a capture, or a published cache.  Out: check_reload(), spot_check_cache(),
hash_adapter().  Imports: torch, by way of the teacher.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from teacher_cache.errors import UserError
from teacher_cache.manifest import read_manifest
from teacher_cache.reader import open_cache
from teacher_cache.teacher.base.identity import hash_files
from teacher_cache.teacher.batches import plan_batches
from teacher_cache.teacher.capture.answering import Teacher, load_teacher, read_record
from teacher_cache.teacher.capture.inference import answer_batches
from teacher_cache.teacher.lora import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from teacher_cache.teacher.teacher_config import CaptureConfig

ROWS = 64
TOLERANCE = {"float32": 1e-4, "bfloat16": 5e-2, "float16": 1e-2}
QUANTIZED_TOLERANCE = 0.1
# Hidden states are kept as float16, whose last digit is 1/2048 of a value.
HIDDEN_TOLERANCE = 2e-3
# The validation NLL may differ from the one that fine-tuning saw by this much (nats): merging and another precision
# move it by thousandths, an adapter that lost its head by tenths.
NLL_TOLERANCE = 0.02


def check_reload(
    base: Path,
    adapter: Path,
    config: CaptureConfig,
    texts: Sequence[str],
    cached: Mapping[str, np.ndarray],
    quality: Mapping[str, Mapping[str, float]],
) -> None:
    """The gate: a teacher loaded from disk anew must give the cached logits, and fine-tuning's own validation NLL.

    Args:
        base: the folder of stage base.
        adapter: the folder of stage finetune.
        config: of the capture.
        texts: of a part's rows.
        cached: their `logits` (rows, classes), and `hidden` (rows, values) where there are hidden states.
        quality: of the whole capture, by split.

    Raises:
        UserError: it does not, as when a head was not saved with its adapter.
    """
    found, expected = quality["validation"]["nll"], read_record(adapter)["metrics"]["validation"]["nll"]
    if not abs(found - expected) <= NLL_TOLERANCE:
        raise UserError(
            f"{adapter}: validation NLL must be {expected:.4f} within {NLL_TOLERANCE}, as when it was fine-tuned, "
            f"got {found:.4f}; run stage finetune again"
        )
    teacher = load_teacher(base, adapter, config.dtype)
    _require_same(teacher, texts, cached, config, ROWS)
    teacher.lend()


def spot_check_cache(folder: Path, examples: pa.Table, base: Path, adapter: Path, rows: int) -> dict[str, float]:
    """Compute some `rows` rows of the cache in `folder` again, in whole batches spread evenly over it.

    Returns:
        The number of rows computed, and the largest difference of a logit.

    Raises:
        UserError: a logit differs by more than its dtype's rounding, or teacher and cache do not belong together.
    """
    identity = read_manifest(folder).identity
    expected = {"identity.base": read_record(adapter)["base"], "identity.adapter": hash_adapter(adapter)}
    cache = open_cache(folder, expected)
    config = CaptureConfig(
        tokens_per_batch=identity["tokens_per_batch"],
        dtype=identity["dtype"],
        hidden_layers=tuple(identity.get("hidden_layers", ())),
    )
    teacher = load_teacher(base, adapter, config.dtype)
    chosen = _spread(len(cache.manifest.parts), rows)
    first, computed, off = 0, 0, 0.0
    for index, part in enumerate(cache.iter_parts()):
        if index in chosen:
            texts = examples["text"].slice(first, len(part.label)).to_pylist()
            kept = {"logits": part.logits} | ({"hidden": part.hidden} if part.hidden is not None else {})
            count, largest = _require_same(teacher, texts, kept, config, -(-rows // len(chosen)))
            computed, off = computed + count, max(off, largest)
        first += len(part.label)
    return {"rows": computed, "largest_difference": off}


def hash_adapter(adapter: Path) -> str:
    """SHA-256 over the adapter's configuration and weights."""
    return hash_files([adapter / ADAPTER_CONFIG, adapter / ADAPTER_WEIGHTS])


def _require_same(
    teacher: Teacher, texts: Sequence[str], cached: Mapping[str, np.ndarray], config: CaptureConfig, rows: int
) -> tuple[int, float]:
    """Compute batches of a part again, some `rows` rows in all, and compare them with `cached`, by name.

    Args:
        teacher: loaded from disk anew.
        texts: all of the part, which decide its batches.
        cached: the part's `logits` (rows, classes), and `hidden` (rows, values) where there are hidden states.
        config: of the capture.
        rows: about how many, as batches have different numbers of rows.

    Returns:
        The number of rows computed, and the largest difference of a logit.
    """
    tokens = teacher.tokenize(texts)
    batches = plan_batches([len(row) for row in tokens], config.tokens_per_batch)
    batches = [batches[index] for index in _spread(len(batches), -(-rows * len(batches) // len(texts)))]
    places = np.concatenate(batches)
    logits, hidden = answer_batches(teacher, tokens, batches, config.hidden_layers)
    tolerance = QUANTIZED_TOLERANCE if getattr(teacher.model, "is_quantized", False) else TOLERANCE[config.dtype]
    for name, again, limit in (("logits", logits, tolerance), ("hidden", hidden, max(tolerance, HIDDEN_TOLERANCE))):
        if again is None:
            continue
        kept = cached[name][places]
        off = float(np.abs(again.astype(np.float32) - kept).max())
        if not np.allclose(again, kept, atol=limit, rtol=limit):
            raise UserError(f"computed again, {name} must be the cached ones within {limit}, got {off:.3g} off")
    return len(places), float(np.abs(logits - cached["logits"][places]).max())


def _spread(rows: int, chosen: int) -> np.ndarray:
    """At most `chosen` numbers, evenly spread over those below `rows`."""
    return np.linspace(0, rows - 1, min(chosen, rows)).astype(int)
