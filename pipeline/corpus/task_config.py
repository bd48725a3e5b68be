"""Where a task's text comes from: the `task.NAME` and `prepare` blocks of params.yaml.

In: nothing.  Out: TaskConfig, PrepareConfig, the three sources.  Imports: pydantic alone.
"""

from dataclasses import field
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass

from teacher_cache.text import Invisible, TextRules, normalise_label

STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
Name = Annotated[str, Field(min_length=1)]


def _read_label(value: Any) -> Any:
    """A class's name as text, however YAML takes it: 0, false and text with accents composed in either way."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    return normalise_label(value) if isinstance(value, str) else value


def _require_character(value: str) -> str:
    value = {"tab": "\t"}.get(value, value)
    if len(value) != 1 or value in "\r\n":
        raise ValueError("must be one character, or tab")
    return value


def _require_quote(value: str) -> str:
    if value != "none" and len(value) != 1:
        raise ValueError("must be one character, or none where no character quotes")
    return value


Label = Annotated[str, BeforeValidator(_read_label), Field(min_length=1)]
Character = Annotated[str, AfterValidator(_require_character)]


@dataclass(frozen=True, config=STRICT)
class GeneratedSource:
    """Text that this project's own code generates."""

    kind: Literal["embedded"]
    generator: Literal["emotion", "hiding", "thematic"]
    rows: Annotated[int, Field(ge=20)] = 4000


@dataclass(frozen=True, config=STRICT)
class FileSource:
    """A CSV, TSV, JSON, JSONL or Parquet file; `sha256`, where given, must be the file's.

    `encoding`, `delimiter`, `quote` ("none" where a quote is a character) and `escape` are those of a text file; what
    is null is guessed, and the data card says how the file was read.
    """

    kind: Literal["file"]
    path: Name
    text: Name = "text"
    label: Name = "label"
    encoding: Name | None = None
    delimiter: Character | None = None
    quote: Annotated[str, AfterValidator(_require_quote)] | None = None
    escape: Character | None = None
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None


@dataclass(frozen=True, config=STRICT)
class HubSource:
    """A Hugging Face dataset at a pinned revision; the rows of all `splits` are pooled and split anew."""

    kind: Literal["hub"]
    dataset: Name
    revision: Annotated[str, Field(pattern="^[0-9a-f]{40}$")]
    name: str | None = None
    splits: list[Name] = field(default_factory=lambda: ["train"])
    text: Name = "text"
    label: Name = "label"


@dataclass(frozen=True, config=STRICT)
class GivenSplit:
    """The source's own splits: the column that has them, and what its values mean; null leaves a row out."""

    column: Name
    values: dict[str, Literal["train", "validation", "test"] | None] = field(default_factory=dict)


@dataclass(frozen=True, config=STRICT)
class TaskConfig:
    """One task (block `task.NAME`).

    `labels` are the class names in class order. `values` maps a value of the source's label column to a class name,
    where the two differ, or to null to leave such rows out; a value that is neither is an error. `limit` is the number
    of texts to keep at most, equally many per class. `balance` drops the surplus of the larger classes; null is what
    `prepare` says. `group` is a column whose equal values keep their rows in one split; `split` takes the source's.
    """

    labels: Annotated[list[Label], Field(min_length=2)]
    source: Annotated[GeneratedSource | FileSource | HubSource, Field(discriminator="kind")]
    values: dict[str, Label | None] = field(default_factory=dict)
    limit: Annotated[int, Field(ge=20)] | None = None
    balance: bool | None = None
    group: Name | None = None
    split: GivenSplit | None = None

    def __post_init__(self) -> None:
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("labels must differ from one another")
        if unknown := sorted({name for name in self.values.values() if name is not None} - set(self.labels)):
            raise ValueError(f"values must map to one of labels ({', '.join(self.labels)}), not to {unknown[0]}")
        if (self.group or self.split) and isinstance(self.source, GeneratedSource):
            raise ValueError("group and split must name columns of a file or of a dataset, an embedded source has none")
        if self.split and (self.group or self.limit or self.balance):
            raise ValueError("split must stand without group, limit and balance: the source's splits stay as they are")


@dataclass(frozen=True, config=STRICT)
class PrepareConfig:
    """Cleaning and splitting (block `prepare`).

    `balance` drops the surplus of the larger classes of all tasks that do not say otherwise; `split` is
    train : validation : test; a text of more than `max_characters` after normalisation is dropped. `invisible` says
    whether invisible characters are dropped from texts, here and wherever the student is asked, or kept as something
    may be hidden in them.
    """

    balance: bool = False
    split: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=3, max_length=3)] = field(
        default_factory=lambda: [6, 2, 2]
    )
    max_characters: Annotated[int, Field(ge=1)] = 20_000
    # Of projects whose params.yaml does not say: what version 0.1 did.
    invisible: Invisible = "keep"

    @property
    def rules(self) -> TextRules:
        """What a text must be, in training and at inference."""
        return TextRules(self.invisible, self.max_characters)
