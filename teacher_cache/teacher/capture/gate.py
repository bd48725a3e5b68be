"""The gate before publishing, and the spot check after it: rows computed again by a teacher loaded from disk anew.

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
from teacher_cache.teacher.capture.answering import Teacher, load_teacher, read_record
from teacher_cache.teacher.capture.inference import compute_answers
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
        texts: of some rows.
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
    rows = _spread(len(texts), ROWS)
    teacher = load_teacher(base, adapter, config.dtype)
    _require_same(teacher, [texts[row] for row in rows], {name: cached[name][rows] for name in cached}, config)
    teacher.lend()


def spot_check_cache(folder: Path, examples: pa.Table, base: Path, adapter: Path, rows: int) -> dict[str, float]:
    """Compute `rows` rows of the cache in `folder` again, spread evenly over it.

    Returns:
        The number of rows computed, and the largest difference of a logit.

    Raises:
        UserError: a logit differs by more than its dtype's rounding, or teacher and cache do not belong together.
    """
    identity = read_manifest(folder).identity
    expected = {"identity.base": read_record(adapter)["base"], "identity.adapter": hash_adapter(adapter)}
    cache = open_cache(folder, expected)
    chosen = _spread(cache.manifest.rows, rows)
    config = CaptureConfig(
        tokens_per_batch=identity["tokens_per_batch"],
        dtype=identity["dtype"],
        hidden_layers=tuple(identity.get("hidden_layers", ())),
    )
    found = cache.read()
    kept = {
        name: getattr(found, name)[chosen] for name in (("logits", "hidden") if config.hidden_layers else ("logits",))
    }
    teacher = load_teacher(base, adapter, config.dtype)
    off = _require_same(teacher, examples["text"].take(chosen).to_pylist(), kept, config)
    return {"rows": len(chosen), "largest_difference": off}


def hash_adapter(adapter: Path) -> str:
    """SHA-256 over the adapter's configuration and weights."""
    return hash_files([adapter / ADAPTER_CONFIG, adapter / ADAPTER_WEIGHTS])


def _require_same(
    teacher: Teacher, texts: Sequence[str], cached: Mapping[str, np.ndarray], config: CaptureConfig
) -> float:
    """Compute `texts` again and compare with `cached`, by name; returns the largest difference of a logit."""
    logits, hidden = compute_answers(teacher, texts, config.tokens_per_batch, config.hidden_layers)
    # LLM.int8 treats a batch's outliers apart, so that a row's logits depend on its company.
    tolerance = QUANTIZED_TOLERANCE if getattr(teacher.model, "is_quantized", False) else TOLERANCE[config.dtype]
    for name, again, limit in (("logits", logits, tolerance), ("hidden", hidden, max(tolerance, HIDDEN_TOLERANCE))):
        if again is None:
            continue
        off = float(np.abs(again.astype(np.float32) - cached[name]).max())
        if not np.allclose(again, cached[name], atol=limit, rtol=limit):
            raise UserError(f"computed again, {name} must be the cached ones within {limit}, got {off:.3g} off")
    return float(np.abs(logits - cached["logits"]).max())


def _spread(rows: int, chosen: int) -> np.ndarray:
    """At most `chosen` row numbers, evenly spread over `rows`."""
    return np.linspace(0, rows - 1, min(chosen, rows)).astype(int)
