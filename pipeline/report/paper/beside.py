"""A table of the paper with ours beside it: the paper's value, ours, its 95 % interval, the difference.

In: keys and measures, one Cell for each.  Out: Beside, Row, Cell.
Imports: pipeline.evaluation.metrics, for its Interval.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

from pipeline.evaluation.metrics import Interval
from pipeline.report.columns import Column, Table

Number = int | float
MINUS = "\N{MINUS SIGN}"
# An interval over several seeds; a plain number where there is one seed, or where nothing varies.
Ours = Interval | Number | None


class Cell(NamedTuple):
    """One measure of one row; None on a side that has no such number."""

    paper: Number | None
    ours: Ours

    @property
    def mean(self) -> Number | None:
        """Ours without its interval."""
        return self.ours.mean if isinstance(self.ours, Interval) else self.ours

    @property
    def interval(self) -> Interval | None:
        """Ours with its interval, where it has one."""
        return self.ours if isinstance(self.ours, Interval) else None

    @property
    def difference(self) -> Number | None:
        """Ours minus the paper's."""
        return None if self.mean is None or self.paper is None else self.mean - self.paper


class Row(NamedTuple):
    """What a row is about, by key, and the paper's values and ours, by measure; what a side lacks is absent or None."""

    names: Mapping[str, str]
    paper: Mapping[str, Any]
    ours: Mapping[str, Ours]

    @property
    def is_empty(self) -> bool:
        """Whether neither side has anything."""
        return not self.paper and all(value is None for value in self.ours.values())


@dataclass(frozen=True)
class Beside:
    """Rows with a cell for each measure; `note` says what a reader must know of both sides."""

    name: str
    title: str
    note: str
    keys: tuple[Column, ...]
    measures: tuple[Column, ...]
    rows: tuple[Row, ...]

    def list_cells(self, row: Row) -> list[tuple[Column, Cell]]:
        """The row's cells, each with its measure."""
        return [(one, Cell(row.paper.get(one.key), row.ours.get(one.key))) for one in self.measures]

    def to_table(self) -> Table:
        """The same as a plain table, five columns for each measure."""
        columns = [*self.keys]
        for measure in self.measures:
            sides = {
                "paper": "paper",
                "ours": "ours",
                "low": "95 % low",
                "high": "95 % high",
                "difference": "difference",
            }
            columns += [
                Column(f"{measure.key}_{key}", f"{measure.title}, {title}", measure.kind)
                for key, title in sides.items()
            ]
        rows = tuple(
            (
                *(row.names[key.key] for key in self.keys),
                *chain.from_iterable(_list_values(c) for _, c in self.list_cells(row)),
            )
            for row in self.rows
        )
        return Table(self.name, self.title, tuple(columns), rows)

    def to_lines(self) -> Iterator[tuple[str, ...]]:
        """Each row as up to four lines of shown text: the paper's, ours, its interval and the difference."""
        nothing = [measure.show(None) for measure in self.measures]
        for row in self.rows:
            names, cells = tuple(row.names[key.key] for key in self.keys), self.list_cells(row)
            lines = {
                "paper": [measure.show(cell.paper) for measure, cell in cells],
                "ours": [measure.show(cell.mean) for measure, cell in cells],
                "95 %": [show_interval(measure, cell) for measure, cell in cells],
                "difference": [show_difference(measure, cell) for measure, cell in cells],
            }
            for side, shown in lines.items():
                if shown != nothing:
                    yield (*names, side, *shown)
                    names = ("",) * len(names)


def show_interval(measure: Column, cell: Cell) -> str:
    """The ends of our interval."""
    if cell.interval is None:
        return measure.show(None)
    return f"{measure.show(cell.interval.low)} to {measure.show(cell.interval.high)}"


def show_difference(measure: Column, cell: Cell) -> str:
    """Ours minus the paper's with its sign."""
    if cell.difference is None:
        return measure.show(None)
    return f"{MINUS if cell.difference < 0 else '+'}{measure.show(abs(cell.difference))}"


def _list_values(cell: Cell) -> tuple[Number | None, ...]:
    interval = cell.interval
    ends = (None, None) if interval is None else (interval.low, interval.high)
    return (cell.paper, cell.mean, *ends, cell.difference)
