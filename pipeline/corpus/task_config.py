"""Where a task's text comes from: the `task.NAME` and `prepare` blocks of params.yaml.

In: nothing.  Out: TaskConfig, PrepareConfig, the three sources.  Imports: pydantic alone.
"""

import re
from dataclasses import field, replace
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass

from teacher_cache.schema import SPLITS
from teacher_cache.text import Invisible, TextRules, normalise_label

STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
Name = Annotated[str, Field(min_length=1)]
DIGEST = re.compile("[0-9a-f]{64}")
FOR_EACH = "one for each of train and test, and of validation and pool where there are such"


def _read_label(value: Any) -> Any:
    """A class's name as text, however YAML takes it: 0, false and text with accents composed in either way."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    return normalise_label(value) if isinstance(value, str) else value


def _has_splits(value: Any) -> bool:
    """Whether `value` has a text for each of several splits, train and test among them."""
    texts = isinstance(value, dict) and all(isinstance(text, str) and text for text in value.values())
    return texts and {"train", "test"} <= value.keys() <= set(SPLITS)


def _require_path(value: Any) -> Any:
    if not (isinstance(value, str) and value) and not _has_splits(value):
        raise ValueError(f"must be a path, or {FOR_EACH}")
    return value


def _require_parts(value: Any) -> Any:
    listed = isinstance(value, list) and value and all(isinstance(part, str) and part for part in value)
    if not listed and not _has_splits(value):
        raise ValueError(f"must be a list of the dataset's splits, or {FOR_EACH}")
    return value


def _require_digest(value: Any) -> Any:
    digests = value.values() if isinstance(value, dict) else [] if value is None else [value]
    if not all(isinstance(digest, str) and DIGEST.fullmatch(digest) for digest in digests):
        raise ValueError("must be 64 hexadecimal digits, or as many for splits that path names")
    return value


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
    """A CSV, TSV, JSON, JSONL or Parquet file, or one for each split; `sha256`, where given, must be the file's.

    `encoding`, `delimiter`, `quote` ("none" where a quote is a character) and `escape` are those of a text file; what
    is null is guessed, and the data card says how the file was read.
    """

    kind: Literal["file"]
    path: Annotated[str | dict[str, str], BeforeValidator(_require_path)]
    text: Name = "text"
    label: Name = "label"
    encoding: Name | None = None
    delimiter: Character | None = None
    quote: Annotated[str, AfterValidator(_require_quote)] | None = None
    escape: Character | None = None
    sha256: Annotated[str | dict[str, str] | None, BeforeValidator(_require_digest)] = None

    def __post_init__(self) -> None:
        paths, digests = (value.keys() if isinstance(value, dict) else set() for value in (self.path, self.sha256))
        if not digests <= paths or (paths and isinstance(self.sha256, str)):
            raise ValueError("sha256 must be of the splits that path names, or of one file")

    def list_parts(self) -> dict[str, "FileSource"]:
        """One file for each split that has its own; for all of them, by the name "", where there is one."""
        if isinstance(self.path, str):
            return {"": self}
        digests = self.sha256 if isinstance(self.sha256, dict) else {}
        return {split: replace(self, path=path, sha256=digests.get(split)) for split, path in self.path.items()}


@dataclass(frozen=True, config=STRICT)
class HubSource:
    """A Hugging Face dataset at a pinned revision.

    The rows of all `splits` of a list are put together and split anew; a mapping says which of the dataset's splits is
    train, validation, test or pool.
    """

    kind: Literal["hub"]
    dataset: Name
    revision: Annotated[str, Field(pattern="^[0-9a-f]{40}$")]
    name: str | None = None
    splits: Annotated[list[str] | dict[str, str], BeforeValidator(_require_parts)] = field(
        default_factory=lambda: ["train"]
    )
    text: Name = "text"
    label: Name = "label"

    def list_parts(self) -> dict[str, "HubSource"]:
        """One for each split that is mapped, or itself by the name ""."""
        if isinstance(self.splits, list):
            return {"": self}
        return {split: replace(self, splits=[part]) for split, part in self.splits.items()}


@dataclass(frozen=True, config=STRICT)
class GivenSplit:
    """The source's own splits: the column that has them, and what its values mean; null leaves a row out."""

    column: Name
    values: dict[str, Literal["train", "validation", "test", "pool"] | None] = field(default_factory=dict)


AnySource = Annotated[GeneratedSource | FileSource | HubSource, Field(discriminator="kind")]


@dataclass(frozen=True, config=STRICT)
class TaskConfig:
    """One task (block `task.NAME`).

    `labels` are the class names in class order. `values` maps a value of the source's label column to a class name,
    where the two differ, or to null to leave such rows out; a value that is neither is an error. `limit` is the number
    of texts to keep at most, equally many per class. `balance` drops the surplus of the larger classes; null is what
    `prepare` says. `group` is a column whose equal values keep their rows in one split; `split` takes the source's.

    Rows whose label is empty, and all rows of `pool`, of which no label is read, are the pool. `labelled` is the number
    of texts of train and validation together that keep their label; what else is in train becomes part of the pool.

    `instructed` is how many more labelled texts of its generator the local bases are instructed on, none of them among
    the task's: what a large model knows of a public task before anybody fine-tunes it.
    """

    labels: Annotated[list[Label], Field(min_length=2)]
    source: AnySource
    pool: AnySource | None = None
    labelled: Annotated[int, Field(ge=4)] | None = None
    instructed: Annotated[int, Field(ge=1)] | None = None
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
        if self.instructed and not isinstance(self.source, GeneratedSource):
            raise ValueError("instructed must stand with an embedded source, whose generator writes the texts")
        if self.split and _names_splits(self.source):
            raise ValueError("split must stand without a file or part of a dataset for each split: take one of the two")
        if self.has_splits and (self.group or self.limit or self.balance):
            raise ValueError("split must stand without group, limit and balance: the source's splits stay as they are")
        if _names_splits(self.pool):
            raise ValueError("pool must be without splits, it is one")
        if self.group and isinstance(self.pool, GeneratedSource):
            raise ValueError("group must name a column of pool, too, and an embedded source has none")

    @property
    def has_splits(self) -> bool:
        """Whether the source says which split a row is in."""
        return self.split is not None or _names_splits(self.source)


def _names_splits(source: GeneratedSource | FileSource | HubSource | None) -> bool:
    return not isinstance(source, GeneratedSource | None) and "" not in source.list_parts()


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
