"""The cells of somebody's answer -> a number for each class.

In: cells as a file has them, FileBase, the classes' names.  Out: read_answer().  Imports: the standard library.

One cell may hold all numbers, as APIs give them: {"World": -0.02, "Sports": -4.1}, or a list of objects with a name and
a number, of the likeliest alone.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.corpus.answer_columns import UNKNOWN, ClassNames, suggest
from pipeline.corpus.row import quote
from teacher_cache.errors import UserError
from teacher_cache.imports.import_config import FileBase

# Keys of an object of a list, in the order in which they are looked for.
NAMES = ("token", "label", "class", "name")
NUMBERS = ("logprob", "log_probability", "logit", "probability", "prob", "score", "value")
DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+")

# A number for each class, or None where there is no answer; and the probability of what is no class.
Answer = tuple[Sequence[float] | None, float]
EMPTY: Answer = (None, 0.0)


def read_answer(place: str, cells: Sequence[Any], base: FileBase, classes: ClassNames) -> Answer:
    """What `cells`, of the columns that find_columns() found, say of each class.

    Raises:
        UserError: a cell breaks a rule; `place` says where.
    """
    if base.numbers == "label":
        return _read_label(place, cells, base, classes)
    if base.column is not None:
        return _read_nested(place, cells[0], base, classes)
    numbers = [read_number(place, cell, base.numbers) for cell in cells]
    if all(number is None for number in numbers):
        return EMPTY
    for label, number in zip(classes.labels, numbers, strict=True):
        if number is None:
            raise UserError(f"{place}: every class must have a number, got none for {label}")
    return [number for number in numbers if number is not None], 0.0


def read_number(place: str, cell: Any, kind: str) -> float | None:
    """The number of a cell; None of an empty one.

    Raises:
        UserError: it is no number, not a number (NaN), or infinite; minus infinity is the logarithm of 0.
    """
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return None
    if isinstance(cell, str) and DECIMAL_COMMA.fullmatch(cell.strip()):
        cell = cell.replace(",", ".")
    try:
        number = math.nan if isinstance(cell, bool) else float(cell)
    except (TypeError, ValueError, OverflowError):  # the last of a whole number that no float holds
        number = math.nan
    if math.isfinite(number) or (number == -math.inf and kind != "probabilities"):
        return number
    raise UserError(f"{place}: {kind} must be finite numbers, got {quote(cell)}")


def _read_label(place: str, cells: Sequence[Any], base: FileBase, classes: ClassNames) -> Answer:
    """The label with its confidence, the others with even shares of what is left."""
    index = classes.names.find(place, cells[0])
    if index < 0:
        return EMPTY
    confidence = base.confidence
    if base.confidence_column:
        given = read_number(place, cells[1], "probabilities")
        confidence = base.confidence if given is None else given
        if not 0 < confidence <= 1:
            raise UserError(f"{place}: a confidence must be > 0 and <= 1, got {confidence:g}")
    values = [(1 - confidence) / (len(classes.labels) - 1)] * len(classes.labels)
    values[index] = confidence
    return values, 0.0


def _read_nested(place: str, cell: Any, base: FileBase, classes: ClassNames) -> Answer:
    """The numbers by name, NaN for classes that are not among them."""
    values, elsewhere, seen = [math.nan] * len(classes.labels), 0.0, set()
    for name, said in _list_pairs(place, cell):
        number, index = read_number(place, said, base.numbers), classes.find(name)
        if number is None:
            continue
        if name in seen:
            raise UserError(f"{place}: a name must occur once, got {quote(name)} twice")
        seen.add(name)
        if index == UNKNOWN and base.others == "refuse":
            raise UserError(
                f"{place}: a name must be that of a class{suggest(name, classes.labels)}; map it in base.classes, or "
                "set base.others: drop"
            )
        if index < 0:
            elsewhere += 0.0 if base.numbers == "logits" else _to_probability(number, base.numbers)
        else:
            values[index] = number if math.isnan(values[index]) else _add(place, values[index], number, base.numbers)
    absent = [label for label, value in zip(classes.labels, values, strict=True) if math.isnan(value)]
    if len(absent) == len(values):
        return EMPTY
    if absent and base.numbers == "logits":
        raise UserError(f"{place}: every class must have a logit, got none for {absent[0]}")
    return values, elsewhere


def _list_pairs(place: str, cell: Any) -> Iterator[tuple[str, Any]]:
    """The names and what is said of each."""
    if isinstance(cell, str) and cell.strip():
        try:
            cell = json.loads(cell)
        except (ValueError, RecursionError):
            raise UserError(f"{place}: numbers by name must be JSON, got {quote(cell)}") from None
    if cell is None or cell == "":
        return
    if isinstance(cell, Mapping):
        yield from ((str(name), number) for name, number in cell.items())
        return
    for one in cell if isinstance(cell, list) else [cell]:
        if isinstance(one, Mapping):
            name = next((one[key] for key in NAMES if one.get(key) is not None), None)
            number = next((one[key] for key in NUMBERS if one.get(key) is not None), None)
        else:  # Arrow's maps are lists of pairs
            name, number = one if isinstance(one, list | tuple) and len(one) == 2 else (None, None)
        if name is None:
            raise UserError(
                f"{place}: numbers by name must be an object, or a list of objects with a {' or '.join(NAMES)} and a "
                f"{' or '.join(NUMBERS)}, got {quote(one)}"
            )
        yield str(name), number


def _add(place: str, one: float, other: float, kind: str) -> float:
    """The number of a class that has several spellings among the names: their probabilities add up."""
    if kind == "probabilities":
        return one + other
    if kind == "log_probabilities":
        high, low = max(one, other), min(one, other)
        return high if low == -math.inf else high + math.log1p(math.exp(low - high))
    raise UserError(f"{place}: every class must have one logit, got {one:g} and {other:g} in two spellings")


def _to_probability(number: float, kind: str) -> float:
    return math.exp(min(number, 0.0)) if kind == "log_probabilities" else number
