"""One row as a source gives it, before cleaning, and the columns that it is taken from.

In: nothing.  Out: Row, Columns, quote(), require_columns().  Imports: no torch, no jax.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from teacher_cache.errors import UserError


class Row(NamedTuple):
    """`place` says in errors where the row stands, as `reviews.csv line 7`; a null text is None.

    `label`, `group` and `split` are what the source has there: text, a number, a truth value, a list, None.
    """

    place: str
    text: str | None
    label: Any
    group: Any = None
    split: Any = None


class Columns(NamedTuple):
    """The names of the columns that a row's parts are in; None for parts that are not read."""

    text: str
    label: str
    group: str | None = None
    split: str | None = None

    @property
    def named(self) -> list[str]:
        """Those that are read, each once."""
        return list(dict.fromkeys(name for name in self if name is not None))


def quote(value: object) -> str:
    """A short form of `value` for an error, always one line: the input is not ours and may hold anything."""
    shown = repr(value)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."


def require_columns(place: str, names: Sequence[str], wanted: Columns, advice: str = "") -> None:
    """Refuse a source that does not have each of the `wanted` columns exactly once.

    Raises:
        UserError: naming the source, the column and the columns that are there.
    """
    for name in wanted.named:
        if (count := names.count(name)) != 1:
            found = ", ".join(quote(other) for other in names[:12])
            raise UserError(
                f"{place}: there must be one column {name}, got {count} (columns: {found}); "
                f"name the columns in the source's text and label{advice}"
            )


def require_text(place: str, value: Any) -> str | None:
    """`value` where it is a text or null.

    Raises:
        UserError: it is neither.
    """
    if value is not None and not isinstance(value, str):
        raise UserError(f"{place}: text must be a string, got {quote(value)}")
    return value
