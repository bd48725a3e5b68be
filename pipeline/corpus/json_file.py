"""JSON files -> rows: an object a line, a list of objects, a table by columns or by rows.

In: a file's path, its encoding, the columns.  Out: read_json_lines(), read_json(), list_lines(), list_objects().
Imports: the standard library.

A column may lie deeper: `data.text` is the key `text` of the object under `data`, `annotations.result.value.choices`
what all objects of two lists have there, `annotations.0.result` what the first has.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.corpus.row import Made, Wanted, quote, require_columns
from pipeline.corpus.text_file import read_lines
from teacher_cache.errors import UserError

# A row's place, for errors, and what is there.
Placed = tuple[str, dict[str, Any]]


def read_json_lines(path: Path, encoding: str, columns: Wanted[Made]) -> Iterator[Made]:
    """Rows of a file with one JSON object a line; blank lines are skipped.

    Raises:
        UserError: a line that is no object, or lacks the text; with its number. No line has one of the other columns.
    """
    return _make_rows(path, list_lines(path, encoding), columns)


def read_json(path: Path, encoding: str, columns: Wanted[Made]) -> Iterator[Made]:
    """Rows of a file that is one JSON value, read whole, or that has an object a line.

    Raises:
        UserError: it is no table of objects, a row lacks the text, or no row has one of the other columns.
    """
    return _make_rows(path, list_objects(path, encoding, columns.text), columns)


def list_lines(path: Path, encoding: str) -> Iterator[Placed]:
    """The objects of a file that has one a line.

    Raises:
        UserError: a line that is no object, with its number.
    """
    for number, line in enumerate(read_lines(path, encoding), start=1):
        if not line.strip():
            continue
        place = f"{path.name} line {number}"
        try:
            content = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{place}: must be one JSON object, got {quote(line)} ({error})") from None
        if not isinstance(content, dict):
            raise UserError(f"{place}: must be one JSON object, got {quote(content)}")
        yield place, content


def list_objects(path: Path, encoding: str, text: str) -> Iterator[Placed]:
    """The objects of a file that is one JSON value with a column `text`, read whole, or that has an object a line.

    Raises:
        UserError: it is no table of objects.
    """
    lines = list(read_lines(path, encoding))
    try:
        content = json.loads("".join(lines))
    except (ValueError, RecursionError) as error:
        if next(line for line in lines if line.strip()).rstrip().endswith("}"):
            yield from list_lines(path, encoding)
            return
        raise UserError(f"{path.name}: must be JSON, got: {error}") from None
    for number, row in enumerate(_list_rows(path, content, text), start=1):
        place = f"{path.name} row {number}"
        if not isinstance(row, dict):
            raise UserError(f"{place}: must be a JSON object, got {quote(row)}")
        yield place, row


def _list_rows(path: Path, content: Any, text: str) -> list[Any]:
    """The rows of a list of objects, or of what pandas writes: by column, by row, split, or as a table."""
    if isinstance(content, list):
        return content
    if isinstance(content, dict):
        if isinstance(rows := content.get("data"), list):
            if not isinstance(names := content.get("columns"), list):
                return rows
            if all(isinstance(row, list) for row in rows):
                return [dict(zip(names, row, strict=False)) for row in rows]
        # What is beside the columns, such as a version, is none.
        if isinstance(column := content.get(text), dict):
            deep = {name: cells for name, cells in content.items() if isinstance(cells, dict)}
            return [{name: cells.get(key) for name, cells in deep.items()} for key in column]
        if isinstance(column, list):
            flat = {name: cells for name, cells in content.items() if isinstance(cells, list)}
            for name, cells in flat.items():
                if len(cells) != len(column):
                    raise UserError(
                        f"{path.name}: columns must be equally long, got {len(column)} of {text} and {len(cells)} of "
                        f"{quote(name)}"
                    )
            return [dict(zip(flat, row, strict=True)) for row in zip(*flat.values(), strict=True)]
        if content and all(isinstance(row, dict) for row in content.values()):
            return list(content.values())
    raise UserError(f"{path.name}: must be a list of objects or a table that pandas wrote, got {quote(content)}")


def _make_rows(path: Path, rows: Iterator[Placed], columns: Wanted[Made]) -> Iterator[Made]:
    """Rows of objects. A key that one of them lacks is an empty cell, but for the text's."""
    found: set[str] = set()
    names: list[str] = []
    for place, content in rows:
        present = {name for name in columns.named if name in content or name.partition(".")[0] in content}
        names = list(_list_names(content))
        if columns.text not in present:
            require_columns(place, names, columns)
        found |= present
        yield columns.make_row(place, [None if name is None else _read_field(content, name) for name in columns])
    if names and not found.issuperset(columns.named):
        require_columns(path.name, [*sorted(found), *(name for name in names if name not in found)], columns)


def _read_field(content: dict[str, Any], name: str) -> Any:
    """The value under a name, or under a path of names; a list of all values where the path leads through lists."""
    if name in content:
        return content[name]
    found, many = [content], False
    for level in name.split("."):
        below: list[Any] = []
        for value in found:
            if isinstance(value, list) and level.isdigit():
                below += value[int(level) :][:1]
                continue
            many = many or isinstance(value, list)
            objects = value if isinstance(value, list) else [value]
            below += [one[level] for one in objects if isinstance(one, dict) and level in one]
        found = below
    return found if many else next(iter(found), None)


def _list_names(content: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Every name and path to a name, for errors."""
    for key, value in content.items():
        inner = next((one for one in value if isinstance(one, dict)), None) if isinstance(value, list) else value
        if isinstance(inner, dict) and inner:
            yield from _list_names(inner, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"
