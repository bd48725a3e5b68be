"""One row as a source gives it, before cleaning.

In: nothing.  Out: Row, quote(), name_label(), require_columns().  Imports: no torch, no jax.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from teacher_cache.errors import UserError


class Row(NamedTuple):
    """`place` says in errors where the row stands, as `reviews.csv line 7`; a null text is None."""

    place: str
    text: str | None
    label: str | int | float | bool | None


def quote(value: object) -> str:
    """A short form of `value` for an error, always one line: the input is not ours and may hold anything."""
    shown = repr(value)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."


def require_columns(place: str, names: Sequence[str], *wanted: str) -> None:
    """Refuse a source that does not have each of the `wanted` columns exactly once.

    Raises:
        UserError: naming the source, the column and the columns that are there.
    """
    for name in wanted:
        if (count := names.count(name)) != 1:
            found = ", ".join(quote(other) for other in names[:12])
            raise UserError(
                f"{place}: there must be one column {name}, got {count} (columns: {found}); "
                "name the columns in the source's text and label"
            )


def name_label(row: Row, labels: Sequence[str], values: Mapping[str, str]) -> str:
    """The class name of `row`; numbers and truth values are looked up in `values` as JSON writes them.

    Raises:
        UserError: the label is neither in `values` nor in `labels`.
    """
    key = str(row.label).lower() if isinstance(row.label, bool) else str(row.label)
    name = values.get(key, key)
    if row.label is None or name not in labels:
        raise UserError(
            f"{row.place}: label must be one of {', '.join(labels)}, got {quote(row.label)}; "
            "map other values in the task's values"
        )
    return name
