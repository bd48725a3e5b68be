"""How a fault can end, and the table that is made of it.

In: what trials did.  Out: Outcome, Row, judge().  Imports: the cache's errors.

A trial is `correct` (the undisturbed run's numbers), `refused` (one clear line), `silent` (other numbers and no word of
it, or what must be refused was taken: this must never be) or `failed` (a traceback, a hang, a finished part computed
again, a run that should have succeeded).
"""

import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from teacher_cache.errors import UserError

Outcome = Literal["correct", "refused", "silent", "failed"]
OUTCOMES: tuple[Outcome, ...] = ("correct", "refused", "silent", "failed")


@dataclass
class Row:
    """One line of the matrix: a fault, its outcomes by name, and what was measured or went wrong."""

    fault: str
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    detail: str = ""
    not_run: str = ""
    complaints: list[str] = field(default_factory=list)

    def add(self, outcome: Outcome, complaint: str = "") -> None:
        """Count one trial; a silent or failed one keeps its complaint."""
        self.outcomes[outcome] += 1
        if outcome in ("silent", "failed"):
            self.complaints.append(complaint)

    @property
    def trials(self) -> int:
        """Trials that were made."""
        return self.outcomes.total()

    def to_json(self) -> dict[str, Any]:
        """All of it, with a count for every outcome."""
        counts = {outcome: self.outcomes[outcome] for outcome in OUTCOMES}
        return {**asdict(self), "trials": self.trials, "outcomes": counts}


def judge(read: Callable[[], Any], truth: Any) -> tuple[Outcome, str]:
    """What reading a disturbed thing came to, and what it said."""
    try:
        found = read()
    except UserError as error:
        return ("refused", str(error)) if "\n" not in str(error) else ("failed", f"more than one line: {error}")
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        return "failed", f"{type(error).__name__}: {error} ({place.filename}:{place.lineno})"
    return ("correct", "") if found == truth else ("silent", "other numbers")
