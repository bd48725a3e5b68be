"""What a cache is, whether it is whole, and how two differ; no GPU, no torch.

In: cache folders.  Out: inspect_cache(), verify_cache(), diff_caches().  Imports: pyarrow, NumPy.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from teacher_cache.errors import UserError
from teacher_cache.manifest import fingerprint_examples
from teacher_cache.reader import Cache, CacheRows, ids_to_numpy, labels_to_numpy, open_cache
from teacher_cache.schema import LABELLED_SPLITS, NO_LABEL, SPLITS

# Probabilities are the float32 rounding of the logits' softmax, computed in float64.
SOFTMAX_TOLERANCE = 1e-6
HISTOGRAM_BINS = 20
MOST_DIFFERENT = 10


def inspect_cache(folder: Path) -> dict[str, Any]:
    """All that the manifest says, the bytes per row, rows per split and class and in the pool, and how sure it is.

    Raises:
        UserError: `folder` is no cache, or a part is damaged.
    """
    cache = open_cache(folder, {})
    manifest = cache.manifest
    confidence = np.zeros(HISTOGRAM_BINS, int)
    classes = np.zeros((len(LABELLED_SPLITS), len(manifest.labels)), int)
    for rows in cache.iter_parts():
        confidence += np.histogram(rows.probabilities.max(axis=1), HISTOGRAM_BINS, (0, 1))[0]
        labelled = rows.label != NO_LABEL
        np.add.at(classes, (rows.split[labelled], rows.label[labelled]), 1)
    return {
        **asdict(manifest),
        "fingerprint": manifest.fingerprint,
        "bytes_per_row": sum(part.bytes for part in manifest.parts) / manifest.rows,
        "rows_by_split": {
            split: dict(zip(manifest.labels, counts, strict=True))
            for split, counts in zip(LABELLED_SPLITS, classes.tolist(), strict=True)
        },
        "pool_rows": manifest.rows - int(classes.sum()),
        "confidence": {
            "edges": np.linspace(0, 1, HISTOGRAM_BINS + 1).round(6).tolist(),
            "rows": confidence.tolist(),
        },
    }


def verify_cache(folder: Path, examples: pa.Table | None) -> dict[str, Any]:
    """Check every checksum and every invariant, and that the cache belongs to `examples`, where they are given.

    Returns:
        What was checked, with counts.

    Raises:
        UserError: the first fault, by file and value.
    """
    cache = open_cache(folder, {})
    for part, rows in zip(cache.manifest.parts, cache.iter_parts(), strict=True):
        off = _find_softmax_error(rows)
        if not off <= SOFTMAX_TOLERANCE:
            raise UserError(
                f"{folder / part.name}: probabilities must be the logits' softmax within {SOFTMAX_TOLERANCE}, "
                f"got {off:.3g} off"
            )
    rows = cache.read()
    checked = {
        "rows": len(rows.label),
        "parts": len(cache.manifest.parts),
        "sha256": "ok",
        "softmax": "ok",
        **({"hidden": "ok"} if cache.manifest.hidden else {}),
        "ids": "ok",
    }
    if examples is None:
        return checked
    _require_examples(cache, rows, examples)
    return {**checked, "examples": "ok"}


def diff_caches(first: Path, second: Path) -> dict[str, Any]:
    """Where two caches differ: identity fields, agreement, mean KL(first || second), the most different examples.

    Raises:
        UserError: one is no cache or damaged, their classes differ, or they share no example.
    """
    caches = [open_cache(folder, {}) for folder in (first, second)]
    labels = [cache.manifest.labels for cache in caches]
    if labels[0] != labels[1]:
        raise UserError(f"both caches must have the same classes, got {list(labels[0])} and {list(labels[1])}")
    a, b = (cache.read() for cache in caches)
    shared, at, bt = np.intersect1d(a.example_id, b.example_id, assume_unique=True, return_indices=True)
    if not len(shared):
        raise UserError(f"{first} and {second} must share examples, got none")
    p, q = a.probabilities[at].astype(float), b.probabilities[bt].astype(float)
    divergence = np.sum(np.where(p > 0, p * np.log(np.maximum(p, 1e-12) / np.maximum(q, 1e-12)), 0), axis=1)
    furthest = np.argsort(-divergence, kind="stable")[:MOST_DIFFERENT]
    return {
        "identity": _diff_fields(*(_flatten(asdict(cache.manifest)) for cache in caches)),
        "shared_rows": len(shared),
        "only_first": len(a.label) - len(shared),
        "only_second": len(b.label) - len(shared),
        "agreement": float(np.mean(p.argmax(1) == q.argmax(1))),
        "kl": float(divergence.mean()),
        "most_different": [
            {
                "example_id": shared[row].tobytes().hex(),
                "kl": float(divergence[row]),
                "first": p[row].tolist(),
                "second": q[row].tolist(),
            }
            for row in furthest.tolist()
        ],
    }


def _find_softmax_error(rows: CacheRows) -> float:
    logits = rows.logits.astype(float)
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return float(np.abs(exponentials / exponentials.sum(axis=1, keepdims=True) - rows.probabilities).max())


def _require_examples(cache: Cache, rows: CacheRows, examples: pa.Table) -> None:
    folder, expected = cache.folder, cache.manifest.identity.get("examples")
    found = fingerprint_examples(examples.to_batches())
    if found != expected:
        raise UserError(f"{folder} was made from other examples: their fingerprint must be {expected}, got {found}")
    ids = ids_to_numpy(examples["example_id"])
    answered = np.isin(ids, cache.left_out, invert=True)
    if len(ids) - answered.sum() != len(cache.left_out):
        raise UserError(f"{folder}: left_out must name examples alone; remake or pull the cache")
    if ids[answered].tobytes() != rows.example_id.tobytes():
        raise UserError(f"{folder}: the rows must be the examples, in their order; remake or pull the cache")
    label, split = labels_to_numpy(examples["label"])[answered], np.array(examples["split"].to_pylist())[answered]
    if (label != rows.label).any() or (split != np.array(SPLITS)[rows.split]).any():
        raise UserError(f"{folder}: the rows must have their examples' splits and labels; remake or pull the cache")


def _flatten(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in content.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{name}.")
        elif name not in {"parts", "left_out"}:  # only_first and only_second tell of the latter
            flat[prefix + name] = value
    return flat


def _diff_fields(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, list[Any]]:
    names: Iterable[str] = sorted({*first, *second})
    return {name: [first.get(name), second.get(name)] for name in names if first.get(name) != second.get(name)}
