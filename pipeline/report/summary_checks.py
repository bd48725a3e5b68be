"""What a summary is: the summary.json that the stage evaluate writes for one task and teacher.

In: plain values.  Out: Summary, check_summaries, name_pair, has_interval, flatten.
Imports: the standard library alone.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from teacher_cache.errors import UserError

Summary = Mapping[str, Any]
Record = dict[str, Any]


def check_summaries(summaries: Sequence[Summary]) -> None:
    """Refuse what no page could show truthfully.

    Raises:
        UserError: there is no summary, two are of the same task and teacher, or a number is not finite.
    """
    if not summaries:
        raise UserError("the report needs at least one evaluated student, got none; run `dvc repro evaluate`")
    (task, teacher), count = Counter((one["task"], one["teacher"]) for one in summaries).most_common(1)[0]
    if count > 1:
        raise UserError(f"each task and teacher must have one summary, got {count} of {task} with {teacher}")
    for one in summaries:
        for entry, value in flatten(one):
            if isinstance(value, float) and not math.isfinite(value):
                where = f"summary of {one['task']} with {one['teacher']}: {entry}"
                raise UserError(f"{where} must be finite, got {value}; evaluate that student again")


def name_pair(summary: Summary) -> Record:
    """The two columns that say whose a row is."""
    return {"task": summary["task"], "teacher": summary["teacher"]}


def has_interval(summary: Summary) -> bool:
    """Whether there are seeds enough, two, for an interval to say anything."""
    return len(summary["seeds"]) > 1


def flatten(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of nested mappings and lists, each with its path, the levels joined by dots."""
    if isinstance(value, Mapping):
        steps: Iterator[tuple[Any, Any]] = iter(value.items())
    elif isinstance(value, list):
        steps = enumerate(value)
    else:
        yield path, value
        return
    for key, inner in steps:
        yield from flatten(inner, f"{path}.{key}" if path else str(key))
