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
from teacher_cache.teacher.classifier import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from teacher_cache.teacher.identity import hash_files
from teacher_cache.teacher.inference import compute_logits
from teacher_cache.teacher.predict import Teacher, load_teacher, read_record

ROWS = 64
TOLERANCE = {"float32": 1e-4, "bfloat16": 5e-2, "float16": 1e-2}
# The validation NLL may differ from the one that fine-tuning saw by this much (nats): merging and another precision
# move it by thousandths, an adapter that lost its head by tenths.
NLL_TOLERANCE = 0.02


def check_reload(
    base: Path,
    adapter: Path,
    dtype: str,
    tokens_per_batch: int,
    texts: Sequence[str],
    cached: np.ndarray,
    quality: Mapping[str, Mapping[str, float]],
) -> None:
    """The gate: a teacher loaded from disk anew must give the cached logits, and fine-tuning's own validation NLL.

    Args:
        base: the folder of stage base.
        adapter: the folder of stage finetune.
        dtype: of the capture.
        tokens_per_batch: of the capture.
        texts: of some rows.
        cached: their logits (rows, classes).
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
    teacher = load_teacher(base, adapter, dtype)
    _require_same_logits(teacher, [texts[row] for row in rows], cached[rows], dtype, tokens_per_batch)


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
    teacher = load_teacher(base, adapter, identity["dtype"])
    off = _require_same_logits(
        teacher,
        examples["text"].take(chosen).to_pylist(),
        cache.read().logits[chosen],
        identity["dtype"],
        identity["tokens_per_batch"],
    )
    return {"rows": len(chosen), "largest_difference": off}


def hash_adapter(adapter: Path) -> str:
    """SHA-256 over the adapter's configuration and weights."""
    return hash_files([adapter / ADAPTER_CONFIG, adapter / ADAPTER_WEIGHTS])


def _require_same_logits(
    teacher: Teacher, texts: Sequence[str], cached: np.ndarray, dtype: str, tokens_per_batch: int
) -> float:
    logits = compute_logits(teacher, texts, tokens_per_batch)
    off = float(np.abs(logits - cached).max())
    if not np.allclose(logits, cached, atol=TOLERANCE[dtype], rtol=TOLERANCE[dtype]):
        raise UserError(f"computed again, logits must be the cached ones within {TOLERANCE[dtype]}, got {off:.3g} off")
    return off


def _spread(rows: int, chosen: int) -> np.ndarray:
    """At most `chosen` row numbers, evenly spread over `rows`."""
    return np.linspace(0, rows - 1, min(chosen, rows)).astype(int)
