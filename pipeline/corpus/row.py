"""One row as a source gives it, before cleaning, and the columns that it is taken from.

In: nothing.  Out: Row, Wanted, Columns, quote(), call_block(), require_columns().  Imports: no torch, no jax.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol, TypeVar

from teacher_cache.errors import UserError

Made = TypeVar("Made", covariant=True)
# Where a reader's advice names the block of params.yaml that it takes a file to be of.
SOURCE = re.compile(r"\bsource(?=\.(?:encoding|delimiter|quote|label)\b|'s text)")


class Wanted(Protocol[Made]):
    """The columns that are read of a file, in an order; of those that are not there a name may be None."""

    def advise(self, name: str) -> str:
        """What to do where the column `name` is missing."""

    @property
    def text(self) -> str:
        """The column that every row must have."""

    @property
    def named(self) -> list[str]:
        """Those that are read, each once."""

    def __iter__(self) -> Iterator[str | None]: ...

    def make_row(self, place: str, values: Sequence[Any]) -> Made:
        """A row of the cells of all columns, in their order, None for a column that is not read."""


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
    """The names of the columns that a row's parts are in; None for parts that are not read, as a pool's label."""

    text: str
    label: str | None
    group: str | None = None
    split: str | None = None

    def advise(self, name: str) -> str:
        """What to do where the column `name` is missing."""
        if name not in (self.text, self.label):
            key = "group" if name == self.group else "split.column"
            return f"name it in the task's {key}; each of the task's files must have it, empty where a row has none"
        columns = "column in the source's text" if self.label is None else "columns in the source's text and label"
        return f"name the {columns}"

    @property
    def named(self) -> list[str]:
        """Those that are read, each once."""
        return list(dict.fromkeys(name for name in self if name is not None))

    def make_row(self, place: str, values: Sequence[Any]) -> Row:
        """A row of these cells.

        Raises:
            UserError: the text is none.
        """
        text, *others = values
        return Row(place, require_text(place, text), *others)


def quote(value: object) -> str:
    """A short form of `value` for an error, always one line: the input is not ours and may hold anything."""
    shown = repr(value)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."


@contextmanager
def call_block(name: str) -> Iterator[None]:
    """Let what readers of a source advise speak of the block `name` of params.yaml, which the file is of.

    Raises:
        UserError: the reader's own, so worded.
    """
    try:
        yield
    except UserError as error:
        raise UserError(SOURCE.sub(name, str(error))) from None


def require_columns(place: str, names: Sequence[str], wanted: Wanted[Any], advice: str = "") -> None:
    """Refuse a source that does not have each of the `wanted` columns exactly once.

    Raises:
        UserError: naming the source, the column and the columns that are there.
    """
    for name in wanted.named:
        if (count := names.count(name)) != 1:
            found = ", ".join(quote(other) for other in names[:12])
            what = f"there must be one column {name}, got {count} (columns: {found})"
            raise UserError(f"{place}: {what}; {wanted.advise(name)}{advice}")


def require_text(place: str, value: Any) -> str | None:
    """`value` where it is a text or null.

    Raises:
        UserError: it is neither.
    """
    if value is not None and not isinstance(value, str):
        raise UserError(f"{place}: text must be a string, got {quote(value)}")
    return value
