"""What training reached, epoch by epoch: curves.csv.

In: EpochResults, or the path.  Out: EpochResult, CURVES, write_curves(), read_curves().  Imports: the standard library.
"""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from teacher_cache.publish import publish_file

CURVES = "curves.csv"


class EpochResult(NamedTuple):
    """What one seed reached after one epoch, epochs counted from 1; losses are means per row, in nats."""

    seed: int
    epoch: int
    train_loss: float
    validation_loss: float
    validation_accuracy: float


def write_curves(path: Path, curves: Sequence[EpochResult]) -> None:
    """Publish the curves as CSV, one line per seed and epoch."""
    with publish_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(EpochResult._fields)
        writer.writerows(curves)


def read_curves(path: Path) -> list[EpochResult]:
    """The curves that `write_curves` wrote."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    return [EpochResult(int(row[0]), int(row[1]), *map(float, row[2:])) for row in rows[1:]]
