"""CSV and TSV files -> rows; what params.yaml leaves open of their form is guessed with care, and said.

In: a file, what is known of its form, the columns, a task's labels.
Out: Form, find_form(), read_delimited().  Imports: the standard library.

A quote may open a field, as RFC 4180 says, or be a character. Where reading it as the former swallows lines that are
rows by themselves, it is a character; where neither reading holds, or nothing tells which does, nothing is read.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from pipeline.corpus.row import Made, Wanted, quote, require_columns
from pipeline.corpus.text_file import read_lines
from teacher_cache.errors import UserError
from teacher_cache.text import normalise_label

# The csv module's own limit is 131,072 characters a field; overlong texts are for cleaning to drop and to count.
FIELD_CHARACTERS = 2**31 - 1
ENCLOSED = re.compile('^"(.*)"$', re.DOTALL)
DELIMITERS = (",", ";", "\t", "|")
NO_QUOTE = "none"
UNSURE = "lines, each of which may be a row by itself"
CHOOSE = "set source.quote: none where a quote is a character, source.quote: '\"' where it opens a field"


class Known(Protocol):
    """What can be the cell of the second column."""

    def knows(self, value: str) -> bool:
        """Whether `value` can."""


@dataclass(frozen=True)
class Form:
    """How a file's fields are told apart; `skipped` are the lines before its header."""

    encoding: str
    delimiter: str
    quote: str = '"'
    escape: str | None = None
    skipped: int = 0

    def split(self, lines: Iterable[str]) -> Any:
        """The csv module's reader. Strict: a stray quote would otherwise swallow what follows without a word."""
        if self.quote == NO_QUOTE:
            return csv.reader(lines, delimiter=self.delimiter, quoting=csv.QUOTE_NONE, escapechar=self.escape)
        return csv.reader(
            lines,
            delimiter=self.delimiter,
            quotechar=self.quote,
            escapechar=self.escape,
            doublequote=self.escape is None,
            strict=True,
        )

    def read_body(self, path: Path) -> Iterator[str]:
        """The lines from the header on."""
        for number, line in enumerate(read_lines(path, self.encoding)):
            if number >= self.skipped:
                yield line

    def read_header(self, line: str) -> list[str]:
        """The columns' names, normalised as those of params.yaml are; quotes around one are none of it in any case."""
        try:
            return [normalise_label(ENCLOSED.sub(r"\1", name.strip())) for name in next(self.split([line]))]
        except csv.Error:
            return []

    def describe(self) -> dict[str, str]:
        """For the data card."""
        return {"delimiter": self.delimiter, "quote": self.quote, "encoding": self.encoding}


def find_form(path: Path, given: Form, delimiters: Sequence[str], columns: Wanted[Any]) -> Form:
    """`given` with the delimiter that a first line `sep=;` names, or else the first that makes the header fit.

    Args:
        path: the file.
        given: what is known; its delimiter is not looked at.
        delimiters: those that may be.
        columns: what the header must have.

    Raises:
        UserError: no delimiter gives a header with the columns.
    """
    header, skipped = "", 0
    for header in read_lines(path, given.encoding):
        line = header.rstrip("\r\n").strip('"')
        if skipped == 0 and len(line) == 5 and line.lower().startswith("sep="):
            delimiters = [line[4]]
        elif line.strip():
            break
        skipped += 1
    forms = [replace(given, delimiter=one, skipped=skipped) for one in delimiters]
    headers = [form.read_header(header) for form in forms]
    for form, names in zip(forms, headers, strict=True):
        if all(names.count(name) == 1 for name in columns.named):
            return form
    # The one that makes most of the header says best what is there; of equals, the first.
    advice = ", and what stands between them in its delimiter"
    require_columns(f"{path.name} line {skipped + 1}", max(headers, key=len), columns, advice)
    raise AssertionError("a header with the columns was found above")


def choose_quote(path: Path, form: Form, columns: Wanted[Any], labels: Known) -> Form:
    """`form`, or the same without quotes where its quotes are characters.

    Raises:
        UserError: a quoted field is broken or swallows rows, and without quotes not every line is a row either; or
            both readings hold, and no label says which is meant.
    """
    if not any(form.quote in line for line in form.read_body(path)):
        return form
    plain = _Rows(replace(form, quote=NO_QUOTE), path, columns, labels)
    if (fault := _find_fault(path, form, plain)) is None:
        return form
    if plain.hold and not fault.endswith(UNSURE):
        return plain.form
    raise UserError(f"{path.name} {fault}; {CHOOSE}")


def read_delimited(path: Path, form: Form, columns: Wanted[Made]) -> Iterator[Made]:
    """Rows of a file with a header line; blank lines, and lines of blank fields, are skipped.

    Raises:
        UserError: a line that cannot be read, with its number.
    """
    previous_limit = csv.field_size_limit(FIELD_CHARACTERS)
    lines = form.read_body(path)
    start = first_line = form.skipped + 2
    try:
        names = form.read_header(next(lines))
        at = [None if name is None else names.index(name) for name in columns]
        reader = form.split(lines)
        for fields in reader:
            place, first_line = f"{path.name} line {first_line}", start + reader.line_num
            if not any(field.strip() for field in fields):
                continue
            if not _fits(fields, names, at):
                raise UserError(f"{place}: {_word_fields(form, names, fields)}")
            yield columns.make_row(place, [None if index is None else fields[index] for index in at])
    except csv.Error as error:
        raise UserError(f"{path.name} {_word_quotes(first_line, error)}; {CHOOSE}") from None
    finally:
        csv.field_size_limit(previous_limit)


class _Rows:
    """Lines taken for rows, each by itself."""

    def __init__(self, form: Form, path: Path, columns: Wanted[Any], labels: Known) -> None:
        self.form, self.path, self.labels = form, path, labels
        self.names = form.read_header(next(form.read_body(path)))
        self.at = [None if name is None else self.names.index(name) for name in columns]
        self.label_first = (self.at[1] or 0) < (self.at[0] or 0)

    def read_lines(self) -> Iterator[str]:
        lines = self.form.read_body(self.path)
        next(lines)
        return (line for line in lines if line.strip())

    def read_label(self, line: str) -> str | None:
        """The label of a line with as many fields as the header, "" where none is read; else None."""
        fields = next(self.form.split([line]))
        if not _fits(fields, self.names, self.at):
            return None
        return "" if self.at[1] is None else fields[self.at[1]].strip()

    def is_labelled(self, line: str) -> bool:
        label = self.read_label(line)
        return bool(label) and self.labels.knows(str(label))

    def holds(self, line: str) -> bool:
        """Whether it is a row without quotes: of its label, and with no field that quotes enclose."""
        label = self.read_label(line)
        fields = next(self.form.split([line]))
        enclosed = any(len(field) > 1 and field[0] == field[-1] == '"' for field in map(str.strip, fields))
        return label is not None and (not label or self.labels.knows(label)) and not enclosed

    @cached_property
    def hold(self) -> bool:
        """Whether all lines do."""
        return all(self.holds(line) for line in self.read_lines())

    def swallowed(self, lines: Sequence[str]) -> bool:
        """Whether the lines of one record with quotes are, but for the one that it ends or begins with, rows."""
        if any(map(self.is_labelled, lines[1:] if self.label_first else lines[:-1])):
            return True
        # Commas and semicolons end many a line of prose. A tab does not: behind it is an empty label or the like.
        return self.form.delimiter == "\t" and len(self.names) > 1 and all(self.holds(line) for line in lines)


def _find_fault(path: Path, form: Form, plain: _Rows) -> str | None:
    """What is wrong with quoting as `form` has it, beginning with the line; None where nothing is."""
    consumed: list[str] = []

    def consume() -> Iterator[str]:
        for line in lines:
            consumed.append(line)
            yield line

    lines = form.read_body(path)
    next(lines)
    first_line = form.skipped + 2
    previous_limit = csv.field_size_limit(FIELD_CHARACTERS)
    try:
        for _ in form.split(consume()):
            if len(consumed) > 1 and plain.swallowed(consumed):
                return f"line {first_line}: a quote opens a field of {len(consumed)} lines that are rows by themselves"
            if len(consumed) > 1 and plain.at[1] is None and plain.hold:
                return f"line {first_line}: a quote opens a field of {len(consumed)} {UNSURE}"
            first_line += len(consumed)
            consumed.clear()
    except csv.Error as error:
        return _word_quotes(first_line, error)
    finally:
        csv.field_size_limit(previous_limit)
    return None


def _word_quotes(line: int, error: csv.Error) -> str:
    return f"line {line}: must be quoted as RFC 4180 says (a quote inside a quoted field is doubled), got: {error}"


def _word_fields(form: Form, names: Sequence[str], fields: Sequence[str]) -> str:
    delimiter = quote(form.delimiter)
    if len(names) == 1:
        advice = f"quote a text with {delimiter} in it, or set source.delimiter to what no text has, such as tab"
        return f"must have one field as the header has, got {len(fields)}; {advice}"
    advice = f"quote a field with {delimiter} or a line break in it, or name another source.delimiter"
    return f"must have {len(names)} fields as the header has, got {len(fields)}; {advice}"


def _fits(fields: Sequence[str], names: Sequence[str], at: Sequence[int | None]) -> bool:
    """Whether a row has the header's fields; blank ones may be too many at its end, or lacking.

    Of one column none may: what stands before a last comma there is no field, but most of a text.
    """
    if len(names) == 1:
        return len(fields) == 1
    if len(fields) < len(names):
        return max(index for index in at if index is not None) < len(fields)
    return not any(field.strip() for field in fields[len(names) :])
