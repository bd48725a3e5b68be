"""What stands in a source's label column -> the class that a person calls so in params.yaml.

In: a task's labels and values.  Out: LabelNames, UNLABELLED, LEFT_OUT, name_group().  Imports: the standard library.

Spellings of one thing are one: composed or decomposed accents, blanks around, True and true, 0 and 0.0 and 01, a list
of one. A spelling that params.yaml has letter by letter goes before all others.
"""

import ast
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from typing import Any

from pipeline.corpus.row import quote
from teacher_cache.errors import UserError
from teacher_cache.text import normalise_label

# In place of a class's index: the row has no label; its label is one that params.yaml maps to null.
UNLABELLED, LEFT_OUT = -1, -2
NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)?")


class LabelNames:
    """The classes of a task, by what a source may call them.

    Args:
        labels: class names in class order.
        values: other values of the column, each with its class, or with None for rows to leave out.
        column: what is read, the label or the split, for errors.
    """

    def __init__(self, labels: Sequence[str], values: Mapping[str, str | None], column: str = "label") -> None:
        self.labels, self.column = labels, column
        index = {name: number for number, name in enumerate(labels)}
        self._exact = index | {
            normalise_label(key): LEFT_OUT if name is None else index[name] for key, name in values.items()
        }
        self._alike: dict[str, int | None] = {}
        for key, number in self._exact.items():
            # What could be two classes is neither, but for its own spelling.
            alike = _fold(key)
            self._alike[alike] = number if self._alike.get(alike, number) == number else None

    def find(self, place: str, value: Any) -> int:
        """The index of the class of `value`, or UNLABELLED, or LEFT_OUT.

        Raises:
            UserError: it is none of these; `place` says where it stands.
        """
        found = {self._look_up(key) for key in _list_keys(value)}
        if not found:
            return self._exact.get("", UNLABELLED)
        if len(found) == 1 and (number := next(iter(found))) is not None:
            return number
        values = "values" if self.column == "label" else f"{self.column}.values"
        advice = f"map other values in the task's {values}, to null for rows to leave out"
        if len(found) > 1:
            key = "source.label" if self.column == "label" else f"{self.column}.column"
            advice = f"keep one of them a row, or name which in {key}, such as annotations.0.label"
        raise UserError(f"{place}: {self.column} must be one of {', '.join(self.labels)}, got {quote(value)}; {advice}")

    def knows(self, value: str) -> bool:
        """Whether `value` is a class's name, in some spelling, or one that is left out."""
        return self._look_up(normalise_label(value)) is not None

    def _look_up(self, key: str) -> int | None:
        return self._exact.get(key, self._alike.get(_fold(key)))


def _list_keys(value: Any) -> Iterator[str]:
    """The spellings, as params.yaml has keys, of the one or more labels that a cell holds."""
    if isinstance(value, str):
        value = _read_list(value)
    if isinstance(value, list | tuple):
        for part in value:
            yield from _list_keys(part)
    elif isinstance(value, bool):
        yield str(value).lower()
    elif value is not None and value == value and (key := normalise_label(str(value))):
        yield key  # NaN, an empty cell of pandas, does not equal itself


def _read_list(text: str) -> Any:
    """The list that a CSV file has as text, as JSON, as Python, or as Label Studio writes choices; else the text."""
    text = text.strip()
    if text.startswith(("[", '{"choices"')) and text.endswith(("]", "}")):
        for read in (json.loads, ast.literal_eval):
            try:
                found = read(text)
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                continue
            return found["choices"] if isinstance(found, dict) else found
    return text


def name_group(value: Any) -> str | None:
    """The group of a row whose cell holds `value`, spelled as labels are; None of an empty one, which is alone.

    What two files hold as 7, 7.0 and "7" is one customer.
    """
    if value is None or value != value:
        return None
    name = _fold(normalise_label(str(value)))
    return name.encode(errors="backslashreplace").decode() or None  # half of a surrogate pair has no bytes


def _fold(key: str) -> str:
    if NUMBER.fullmatch(key):
        # All of its digits: an id may have more than the 28 that decimal computes with by itself.
        exact = Context(prec=len(key), Emax=MAX_EMAX, Emin=MIN_EMIN)
        return str(exact.plus(Decimal(key.replace(",", ".")).normalize(exact)))
    return key.lower() if key.lower() in {"true", "false"} else key
