"""Which columns of somebody's file of answers say what: classes are found by name, never by position.

In: the file's column names, FileBase, a task's labels.  Out: ClassNames, AnswerColumns, find_columns().
Imports: the standard library.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pipeline.corpus.label_names import UNLABELLED, LabelNames
from pipeline.corpus.row import quote, require_columns
from teacher_cache.errors import UserError
from teacher_cache.imports.import_config import FileBase
from teacher_cache.text import normalise_label

# What ClassNames.find() says of a name that nobody knows; of one that params.yaml maps to null it is LEFT_OUT.
UNKNOWN = UNLABELLED


@dataclass(frozen=True)
class AnswerColumns:
    """Columns of a file of answers: the one that says whose a row is, and those that say the answer, in this order."""

    text: str
    answers: tuple[str, ...]

    def __iter__(self) -> Iterator[str]:
        return iter((self.text, *self.answers))

    @property
    def named(self) -> list[str]:
        """All, each once."""
        return list(dict.fromkeys(self))

    def advise(self, name: str) -> str:
        """What to do where the column `name` is missing."""
        return "name the columns in base.text or base.example_id, base.column and base.confidence_column"

    def make_row(self, place: str, values: Sequence[Any]) -> tuple[str, Any, Sequence[Any]]:
        """Where a row stands, whose it is, and the cells of its answer."""
        return place, values[0], values[1:]


class ClassNames:
    """The classes of a task by what a file may call them: as they are, in another spelling, or as `classes` says."""

    def __init__(self, labels: Sequence[str], classes: dict[str, str | None]) -> None:
        """Refuse `classes` that map to what is no class.

        Raises:
            UserError: naming what is meant, perhaps.
        """
        for name, label in classes.items():
            if label is not None and label not in labels:
                raise UserError(f"base.classes must map {quote(name)} to a class{suggest(label, labels)}")
        self.labels, self.classes = tuple(labels), classes
        self.names = LabelNames(labels, classes)
        self._seen: dict[str, int] = {}

    def find(self, name: str) -> int:
        """The index of the class of `name`, LEFT_OUT or UNKNOWN."""
        if name not in self._seen:
            known = bool(normalise_label(name)) and self.names.knows(name)
            self._seen[name] = self.names.find("", name) if known else UNKNOWN
        return self._seen[name]


def find_columns(place: str, names: Sequence[str], base: FileBase, classes: ClassNames) -> AnswerColumns:
    """The columns that `base` asks for, of a file with the columns `names`.

    Raises:
        UserError: a column is missing, or a class has none or two; what is there and what is nearest are named.
    """
    key = normalise_label(base.example_id or base.text)
    if base.numbers != "label" and base.column is None:
        answers = _find_classes(place, names, key, base, classes)
    else:
        answers = [normalise_label(name) for name in (base.column or "label", base.confidence_column) if name]
    columns = AnswerColumns(key, tuple(answers))
    present = [name for name in columns.named if name in names or name.partition(".")[0] in names]
    require_columns(place, present if len(present) == len(columns.named) else names, columns)
    return columns


def _find_classes(place: str, names: Sequence[str], key: str, base: FileBase, classes: ClassNames) -> list[str]:
    """The column of each class."""
    # Of JSON, a column may lie deeper, where no list of names has it.
    deeper = [name for name in base.classes if name not in names and name.partition(".")[0] in names]
    columns: dict[int, str] = {}
    for name in [*names, *deeper]:
        index = UNKNOWN if name == key else classes.find(name)
        if index in columns:
            raise UserError(
                f"{place}: class {classes.labels[index]} must have one column, got {quote(columns[index])} and "
                f"{quote(name)}; map one of them to null in base.classes"
            )
        if index >= 0:
            columns[index] = name
    there = {*map(normalise_label, names), *deeper}
    strange = [name for name, label in base.classes.items() if label is not None and normalise_label(name) not in there]
    if strange:
        raise UserError(f"{place}: base.classes must name columns{suggest(strange[0], names)}")
    missing = [label for index, label in enumerate(classes.labels) if index not in columns]
    if missing:
        free = [name for name in names if name != key and name not in columns.values()] or [*columns.values()]
        raise UserError(
            f"{place}: each class must have a column of its name, got none for {missing[0]}"
            f"{suggest(missing[0], free, got=False)}; map other names in base.classes, or name the one column that has "
            "all numbers, or the label, in base.column"
        )
    return [columns[index] for index in range(len(classes.labels))]


def suggest(name: str, names: Sequence[str], got: bool = True) -> str:
    """For an error: what was got, and which of `names` is nearest to it, or some of what there is."""
    by_fold = {other.casefold(): other for other in reversed(names)}
    near = get_close_matches(name.casefold(), by_fold, n=1)
    shown = f"nearest is {quote(by_fold[near[0]])}" if near else f"there are {', '.join(map(quote, names[:12]))}"
    return f", got {quote(name)} ({shown})" if got else f" ({shown})"
