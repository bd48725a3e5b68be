r"""Tables as LaTeX.

In: tables of the report.  Out: format_table, format_beside.  Imports: the standard library alone.

A document needs \usepackage{booktabs,longtable}; each file is one longtable, which breaks between pages.
"""

import re
from collections.abc import Iterable, Sequence

from pipeline.report.columns import Column, Table
from pipeline.report.paper.beside import MINUS, Beside

_ESCAPED = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\N{EN DASH}": "--",
    MINUS: "$-$",
    "\N{NO-BREAK SPACE}": "~",
    "\n": " ",
}
_SPECIAL = re.compile("|".join(map(re.escape, _ESCAPED)))


def format_table(table: Table) -> str:
    """One line for each row, values rounded as on the page."""
    rows = ([column.show(value) for column, value in zip(table.columns, row, strict=True)] for row in table.rows)
    return _format(table.name, table.title, table.columns, rows)


def format_beside(beside: Beside) -> str:
    """Up to four lines for each row: the paper's, ours, its 95 % interval and the difference."""
    return _format(beside.name, beside.title, (*beside.keys, Column("side", ""), *beside.measures), beside.to_lines())


def _format(name: str, title: str, columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> str:
    header = _format_row([column.title for column in columns])
    lines = (
        "% needs \\usepackage{booktabs,longtable}",
        f"\\begin{{longtable}}{{{''.join('r' if column.is_number else 'l' for column in columns)}}}",
        f"\\caption{{{_escape(title)}}}\\label{{tab:{name}}} \\\\",
        f"\\toprule\n{header}\n\\midrule\n\\endfirsthead",
        f"\\toprule\n{header}\n\\midrule\n\\endhead",
        "\\bottomrule\n\\endfoot",
        *(_format_row(row) for row in rows),
        "\\end{longtable}\n",
    )
    return "\n".join(lines)


def _format_row(cells: Sequence[str]) -> str:
    return f"{' & '.join(map(_escape, cells))} \\\\"


def _escape(text: str) -> str:
    return _SPECIAL.sub(lambda found: _ESCAPED[found.group()], text)
