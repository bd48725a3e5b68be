"""Where a task's text comes from: the `task.NAME` and `prepare` blocks of params.yaml.

In: nothing.  Out: TaskConfig, PrepareConfig, the three sources.  Imports: pydantic alone.
"""

from dataclasses import field
from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from teacher_cache.text import Invisible, TextRules

STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
Name = Annotated[str, Field(min_length=1)]


@dataclass(frozen=True, config=STRICT)
class GeneratedSource:
    """Text that this project's own code generates."""

    kind: Literal["embedded"]
    generator: Literal["emotion", "hiding", "thematic"]
    rows: Annotated[int, Field(ge=20)] = 4000


@dataclass(frozen=True, config=STRICT)
class FileSource:
    """A CSV, TSV, JSONL or Parquet file; `sha256`, where given, must be the file's."""

    kind: Literal["file"]
    path: Name
    text: Name = "text"
    label: Name = "label"
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
class TaskConfig:
    """One task (block `task.NAME`).

    `labels` are the class names in class order. `values` maps a value of the source's label column to a class name,
    where the two differ; a value that is neither is an error. `limit` is the number of texts to keep at most, equally
    many per class.
    """

    labels: Annotated[list[Name], Field(min_length=2)]
    source: Annotated[GeneratedSource | FileSource | HubSource, Field(discriminator="kind")]
    values: dict[str, str] = field(default_factory=dict)
    limit: Annotated[int, Field(ge=20)] | None = None

    def __post_init__(self) -> None:
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("labels must differ from one another")
        if unknown := sorted(set(self.values.values()) - set(self.labels)):
            raise ValueError(f"values must map to one of labels ({', '.join(self.labels)}), not to {unknown[0]}")


@dataclass(frozen=True, config=STRICT)
class PrepareConfig:
    """Cleaning and splitting (block `prepare`).

    `balance` drops the surplus of the larger classes; `split` is train : validation : test; a text of more than
    `max_characters` after normalisation is dropped. `invisible` says whether invisible characters are dropped from
    texts, here and wherever the student is asked, or kept as something may be hidden in them.
    """

    balance: bool = True
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
