"""The data card: what a task's examples are, in numbers. No text and no absolute path is in it.

In: the finished examples table.  Out: make_card().  Imports: numpy, pyarrow.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from teacher_cache.schema import SPLITS

PERCENTILES = (5, 25, 75, 95)
HISTOGRAM_BINS = 20


def make_card(
    name: str, labels: Sequence[str], table: pa.Table, drops: Mapping[str, int], source: Mapping[str, Any]
) -> dict[str, Any]:
    """Describe task `name`.

    Args:
        name: the task.
        labels: class names in class order.
        table: its rows, of schema EXAMPLES.
        drops: rows dropped, by reason.
        source: description of where the rows came from.

    Returns:
        A mapping that JSON can hold.
    """
    texts = table["text"].to_pylist()
    words = [text.split() for text in texts]
    splits = np.asarray(table["split"].to_pylist())
    classes = table["label"].to_numpy()
    return {
        "task": name,
        "source": dict(source),
        "rows_read": table.num_rows + sum(drops.values()),
        "rows": table.num_rows,
        "drops": dict(drops),
        "splits": {
            split: {label: int(np.sum((splits == split) & (classes == index))) for index, label in enumerate(labels)}
            for split in SPLITS
        },
        "characters": describe([len(text) for text in texts]),
        "words": describe([len(text) for text in words]),
        "distinct_words": len({word for text in words for word in text}),
    }


def describe(lengths: Sequence[int]) -> dict[str, Any]:
    """Mean, extremes, percentiles and a histogram (`count` lengths between neighbouring `edges`) of `lengths`."""
    counts, edges = np.histogram(lengths, bins=HISTOGRAM_BINS)
    percentiles = np.percentile(lengths, PERCENTILES)
    return {
        "mean": float(np.mean(lengths)),
        "median": float(np.median(lengths)),
        "minimum": int(np.min(lengths)),
        "maximum": int(np.max(lengths)),
        "percentiles": {str(rank): float(value) for rank, value in zip(PERCENTILES, percentiles, strict=True)},
        "histogram": {"edges": edges.tolist(), "counts": counts.tolist()},
    }
