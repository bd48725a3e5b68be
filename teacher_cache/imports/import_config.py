"""What somebody's file of answers is: the block `teacher.NAME.base` of kind `file`.

In: nothing.  Out: FileBase.  Imports: pydantic alone.
"""

from dataclasses import field
from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

Text = Annotated[str, Field(min_length=1)]


@dataclass(frozen=True, config=ConfigDict(extra="forbid", strict=True, allow_inf_nan=False))
class FileBase:
    """Somebody's answers, a row a text, in a Parquet, CSV, TSV, JSON or JSONL file.

    `sha256`, where given, must be the file's. `made_by` says in words who is said to have made them. A row is of the
    text in column `text` or, where it is named, of the example in column `example_id` (32 hex digits, or 16 bytes).

    `numbers` says what is given of the classes: a column for each, called as it is, or all in one `column` (a list of
    {token, logprob} or {label, score}, a mapping of labels to numbers); or one `label` in `column`, `label` where it is
    not named, which has the probability `confidence` or that of `confidence_column`. `classes` maps other names to
    classes, or to null what is none. `others` says what happens to a name in `column` that is no class; `sums` what to
    a sum that is off by more than `tolerance`; `missing` what to a text of validation or test without an answer.

    `encoding`, `delimiter`, `quote` and `escape` are those of a task's source.
    """

    kind: Literal["file"]
    path: Text
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    made_by: Text | None = None
    text: Text = "text"
    example_id: Text | None = None
    numbers: Literal["probabilities", "logits", "log_probabilities", "label"] = "probabilities"
    column: Text | None = None
    classes: dict[str, str | None] = field(default_factory=dict)
    confidence: Annotated[float, Field(gt=0, le=1)] = 0.99
    confidence_column: Text | None = None
    missing: Literal["refuse", "drop"] = "refuse"
    others: Literal["refuse", "drop"] = "refuse"
    sums: Literal["refuse", "renormalise"] = "refuse"
    tolerance: Annotated[float, Field(ge=0, lt=1)] = 0.01
    encoding: Text | None = None
    delimiter: Annotated[str, Field(pattern=r"^(tab|[^\r\n])$")] | None = None
    quote: Annotated[str, Field(pattern="^(none|.)$")] | None = None
    escape: Annotated[str, Field(pattern="^.$")] | None = None

    def __post_init__(self) -> None:
        if self.confidence_column and self.numbers != "label":
            raise ValueError(f"confidence_column must stand beside numbers: label, got numbers: {self.numbers}")
