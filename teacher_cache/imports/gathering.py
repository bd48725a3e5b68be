"""The rows of somebody's file, one after another -> the logits of a task's examples.

In: ids, numbers.  Out: Row, Rules, Gathering.  Imports: NumPy, the cache's contract.

What is held is an array of the examples' size; of the file's rows, a block.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from teacher_cache.distributions import Kind, find_excess, to_logits, to_probabilities
from teacher_cache.errors import UserError
from teacher_cache.schema import EXAMPLE_ID_BYTES

BLOCK_ROWS = 8192
COUNTS = ("rows", "joined", "foreign", "empty", "repeated", "renormalised", "shared", "others")
# What binary fractions and seven digits in a text leave of a sum of 1.
ROUNDING = 1e-6


class Row(NamedTuple):
    """What a file says of one text: `number` is its line or row, for errors.

    `values` has a number for each class, NaN for one that a list of the likeliest does not have; it is None where
    there is no answer. `elsewhere` is the probability of what is no class.
    """

    number: int
    example_id: bytes
    values: Sequence[float] | None
    elsewhere: float = 0.0


@dataclass(frozen=True)
class Rules:
    """What the numbers are, and what happens to a sum that is off by more than `tolerance`."""

    kind: Kind = "probabilities"
    sums: Literal["refuse", "renormalise"] = "refuse"
    tolerance: float = 0.01


class Gathering:
    """Answers by example; `logits` are (examples, classes) float32, of those alone that are `answered`.

    `counts` has the rows that were read, and of them those that are joined to an example, of no example (`foreign`),
    without an answer (`empty`), told twice in the same words (`repeated`), those whose sum was made 1 (`renormalised`),
    in which absent classes share the rest (`shared`), and with names that are no class (`others`).
    """

    def __init__(self, name: str, ids: np.ndarray, classes: int, rules: Rules) -> None:
        """`name` and unit say in errors where a row stands (`answers.csv line`); `ids` are V16, in rising order."""
        self.name, self.ids, self.rules = name, ids, rules
        self.logits = np.zeros((len(ids), classes), np.float32)
        self.counts = Counter(dict.fromkeys(COUNTS, 0))
        self._numbers = np.zeros(len(ids), np.int64)  # of the row that answered; lines are counted from 1
        self._block: list[Row] = []

    @property
    def answered(self) -> np.ndarray:
        """Which examples have an answer, truth values."""
        return self._numbers > 0

    def add(self, row: Row) -> None:
        """Take a row.

        Raises:
            UserError: a row of this block breaks a rule, or says otherwise than an earlier one; with its line.
        """
        self.counts["rows"] += 1
        if row.values is None:
            self.counts["empty"] += 1
            return
        self._block.append(row)
        if len(self._block) == BLOCK_ROWS:
            self.finish()

    def finish(self) -> None:
        """Take the last rows.

        Raises:
            UserError: as `add`.
        """
        if not self._block:
            return
        numbers = np.array([row.number for row in self._block])
        logits = self._convert(numbers)
        ids = np.frombuffer(b"".join(row.example_id for row in self._block), f"V{EXAMPLE_ID_BYTES}")
        self._block = []
        places = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        known = self.ids[places] == ids
        self.counts["foreign"] += int((~known).sum())
        places, logits, numbers = places[known], logits[known], numbers[known]
        # Of rows of one example the first answers it; what the others say is then compared with that.
        _, first = np.unique(places, return_index=True)
        first = first[self._numbers[places[first]] == 0]
        self.logits[places[first]], self._numbers[places[first]] = logits[first], numbers[first]
        self.counts["joined"] += len(first)
        self.counts["repeated"] += len(places) - len(first)
        other = np.flatnonzero((self.logits[places] != logits).any(axis=1))
        if len(other):
            row = other[0]
            self._refuse(
                numbers[row],
                "a text must have one answer",
                f"another than {self.name} {self._numbers[places[row]]}; keep one row a text",
            )

    def _convert(self, numbers: np.ndarray) -> np.ndarray:
        """The logits of the block's rows."""
        rules = self.rules
        elsewhere = np.array([row.elsewhere for row in self._block])
        values = np.array([row.values for row in self._block], np.float64)
        with np.errstate(all="ignore"):  # what is not finite then is refused below
            probabilities = to_probabilities(values, rules.kind, elsewhere)
            sums, excess = probabilities.sum(axis=1), find_excess(probabilities, elsewhere)
        bad = np.flatnonzero((probabilities < 0).any(axis=1))
        if len(bad):
            self._refuse(numbers[bad[0]], "a probability must be >= 0", f"{probabilities[bad[0]].min():.6g}")
        bad = np.flatnonzero(~(np.isfinite(sums) & (sums > 0)))
        if len(bad):
            self._refuse(numbers[bad[0]], f"{rules.kind} must have a sum that is finite and > 0", f"{sums[bad[0]]}")
        bad = np.flatnonzero(excess > rules.tolerance + ROUNDING)
        if len(bad) and rules.sums == "refuse":
            self._refuse(
                numbers[bad[0]],
                f"probabilities must add up to 1 within {rules.tolerance:g}",
                f"{sums[bad[0]] + elsewhere[bad[0]]:.6g}; base.sums: renormalise divides by the sum",
            )
        found = {"renormalised": excess > ROUNDING, "shared": np.isnan(values).any(axis=1), "others": elsewhere > 0}
        self.counts.update({what: int(rows.sum()) for what, rows in found.items()})
        return to_logits(probabilities)

    def _refuse(self, number: int, rule: str, got: str) -> None:
        raise UserError(f"{self.name} {number}: {rule}, got {got}")
