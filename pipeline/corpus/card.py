"""The data card: what a task's examples are, in numbers. No text and no absolute path is in it.

In: the finished examples table.  Out: make_card(), describe_losses().  Imports: numpy, pyarrow.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from teacher_cache.reader import labels_to_numpy
from teacher_cache.schema import LABELLED_SPLITS, NO_LABEL

PERCENTILES = (5, 25, 75, 95)
HISTOGRAM_BINS = 20
BLOCK_ROWS = 65536
# The share of rows above which it is said aloud that a reason dropped them; the texts below which a class is rare.
LOUD, FEW = 0.1, 20


def make_card(
    name: str,
    labels: Sequence[str],
    table: pa.Table,
    drops: Mapping[str, int],
    source: Mapping[str, Any],
    hidden_labels: int = 0,
) -> dict[str, Any]:
    """Describe task `name`.

    Args:
        name: the task.
        labels: class names in class order.
        table: its rows, of schema EXAMPLES or POOLED_EXAMPLES; a space between two words is all the white space of a
            text.
        drops: rows dropped, by reason.
        source: description of where the rows came from.
        hidden_labels: texts of the pool whose label is known, and hidden.

    Returns:
        A mapping that JSON can hold.
    """
    texts, classes = table["text"], labels_to_numpy(table["label"])
    pool = int(np.sum(classes == NO_LABEL))
    return {
        "task": name,
        "source": dict(source),
        "rows_read": table.num_rows + sum(drops.values()),
        "rows": table.num_rows,
        "drops": dict(drops),
        "splits": {
            split: dict(zip(labels, np.bincount(classes[rows], minlength=len(labels)).tolist(), strict=True))
            for split in LABELLED_SPLITS
            for rows in [pc.equal(table["split"], split).to_numpy()]
        },
        **({"pool": {"texts": pool, "hidden_labels": hidden_labels}} if pool else {}),
        "characters": describe(pc.utf8_length(texts).to_numpy()),
        "words": describe(pc.count_substring(texts, " ").to_numpy() + 1),
        "distinct_words": _count_distinct_words(texts),
    }


def describe_losses(card: Mapping[str, Any]) -> list[str]:
    """What somebody must know unasked: a line for each reason that took a tenth of the rows, and for each rare class.

    Args:
        card: as make_card makes it.
    """
    name, read, pool = card["task"], card["rows_read"], card.get("pool", {"texts": 0, "hidden_labels": 0})
    # A pool is never balanced, and hides no loss by its size.
    whole = {"balance": read - pool["texts"] + pool["hidden_labels"]}
    advice = {
        "balance": f"to the size of the smallest class; task.{name}.balance: false keeps them",
        "unlabelled": "they are to be validated or tested on, and have no label",
        "group_held_out": "their group's labelled texts are in validation or test",
        "left_out": f"as task.{name} says by null",
        "contradicting": "the same text has several labels",
        "duplicate": "each text is kept once",
        "too_long": "prepare.max_characters is the limit",
    }
    lines = [
        f"task {name}: {count} of {whole.get(reason, read)} rows dropped, {reason}"
        + (f": {advice[reason]}" if reason in advice else "")
        for reason, count in card["drops"].items()
        if reason not in ("limit", "beyond_labelled") and count > whole.get(reason, read) * LOUD
    ]
    for label in next(iter(card["splits"].values())):
        counts = {split: found[label] for split, found in card["splits"].items()}
        if sum(counts.values()) < FEW:
            found = ", ".join(f"{count} in {split}" for split, count in counts.items())
            lines.append(f"task {name}: class {label} has {found}: too few to be learnt, or to say how well")
    return lines


def describe(lengths: np.ndarray) -> dict[str, Any]:
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


def _count_distinct_words(texts: pa.ChunkedArray) -> int:
    blocks = (texts.slice(start, BLOCK_ROWS) for start in range(0, len(texts), BLOCK_ROWS))
    distinct = [pc.unique(pc.list_flatten(pc.split_pattern(block, " "))) for block in blocks]
    return int(pc.count_distinct(pa.chunked_array(distinct, pa.string())).as_py())
