"""What a table is: named columns with a unit, rows of plain values; shown rounded, written to CSV in full.

In: plain values.  Out: Column, Table, write_tables, columns that many tables share.  Imports: tabulate.
"""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from tabulate import tabulate

Kind = Literal[
    "text", "count", "fraction", "difference", "nats", "seconds", "mebibytes", "words", "ratio", "significant"
]

# Four decimals are what the paper's tables 4 to 8 print.
_FORMATS: Mapping[Kind, str] = {
    "count": ",d",
    "fraction": ".4f",
    "difference": "+.4f",
    "nats": ".4f",
    "seconds": ",.2f",
    "mebibytes": ",.0f",
    "words": ",.1f",
    "ratio": ".2e",
    "significant": ".3g",
}
_MISSING = "\N{EN DASH}"


@dataclass(frozen=True)
class Column:
    """One column: `key` names it in CSV, `title` (with its unit) on the page."""

    key: str
    title: str
    kind: Kind = "text"

    @property
    def is_number(self) -> bool:
        """Whether its values are aligned and sorted as numbers."""
        return self.kind != "text"

    def show(self, value: Any) -> str:
        """`value` as a reader sees it: rounded, thousands separated, a dash where there is none."""
        if value is None:
            return _MISSING
        return format(value, _FORMATS[self.kind]) if self.is_number else str(value)


@dataclass(frozen=True)
class Table:
    """Rows of values, one per column; None is a value that does not exist."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]

    @classmethod
    def build(cls, name: str, title: str, columns: Iterable[Column], records: Iterable[Mapping[str, Any]]) -> "Table":
        """Put each record's values in the columns' order; a key that a record lacks becomes None."""
        columns = tuple(columns)
        rows = tuple(tuple(record.get(column.key) for column in columns) for record in records)
        return cls(name, title, columns, rows)

    def records(self) -> list[dict[str, Any]]:
        """The rows as dicts by column key."""
        return [dict(zip((column.key for column in self.columns), row, strict=True)) for row in self.rows]

    def only(self, **wanted: Any) -> "Table":
        """The rows whose columns named in `wanted` have those values."""
        kept = (record for record in self.records() if all(record[key] == value for key, value in wanted.items()))
        return replace(self, rows=tuple(tuple(record.values()) for record in kept))

    def to_csv(self) -> str:
        """CSV with a header of column keys; numbers in full precision, None empty, lines end with LF."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(column.key for column in self.columns)
        writer.writerows(self.rows)
        return text.getvalue()

    def to_latex(self) -> str:
        """A `longtable`, values rounded as on the page."""
        shown = [[column.show(value) for column, value in zip(self.columns, row, strict=True)] for row in self.rows]
        align = ["right" if column.is_number else "left" for column in self.columns]
        titles = [column.title for column in self.columns]
        return (
            tabulate(shown, titles, "latex_longtable", disable_numparse=True, colalign=align if shown else None) + "\n"
        )


def write_tables(tables: Iterable[Table], folder: Path) -> None:
    """Write each table to `folder`/{name}.csv and .tex; the folder must not exist yet."""
    folder.mkdir()
    for table in tables:
        (folder / f"{table.name}.csv").write_text(table.to_csv(), encoding="utf-8", newline="")
        (folder / f"{table.name}.tex").write_text(table.to_latex(), encoding="utf-8", newline="")


TASK, TEACHER = Column("task", "Task"), Column("teacher", "Teacher")
EPOCHS = (
    Column("epoch", "Epoch", "count"),
    Column("train_loss", "Training loss (nats)", "nats"),
    Column("validation_loss", "Validation loss (nats)", "nats"),
    Column("validation_accuracy", "Validation accuracy", "fraction"),
)
INTERVAL = (
    Column("accuracy_low", "Seeds 95\N{NO-BREAK SPACE}%\N{NO-BREAK SPACE}low", "fraction"),
    Column("accuracy_high", "Seeds 95\N{NO-BREAK SPACE}%\N{NO-BREAK SPACE}high", "fraction"),
)
CLOSENESS = (Column("agreement", "Agreement", "fraction"), Column("kl", "KL (nats)", "nats"))
QUALITY = (
    Column("precision", "Precision", "fraction"),
    Column("recall", "Recall", "fraction"),
    Column("f1", "Macro F1", "fraction"),
    Column("ece", "ECE", "fraction"),
    Column("nll", "NLL (nats)", "nats"),
    *CLOSENESS,
)
