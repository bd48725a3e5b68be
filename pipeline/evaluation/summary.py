"""What the stages say of a student and of each comparator: written once, read by report, commands and tests alike.

In: numbers of an evaluation; a path.  Out: PairSummary, Comparison and their parts, list_metrics(),
write_summary(), read_pair(), read_comparison().
Imports: pydantic.

A student is described by evaluations/{task}/{teacher}/summary.json, a comparator by
comparisons/{task}/{teacher}/{comparator}/comparison.json. What both are is `Trained`. No number here depends on the
machine but the seconds, which are those of this one training; memory and commits are in records/.
"""

import json
from dataclasses import asdict, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from pipeline.evaluation.confidence import Calibrated, Cascade, CoverageStep
from student_jax.tunable import Tuning
from teacher_cache.errors import UserError
from teacher_cache.publish import write_json

# Raised when a field gets another name or meaning; 1 were the untyped summaries of version 0.1.
FORMAT: Literal[2] = 2

STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
Count = Annotated[int, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
NotNegative = Annotated[float, Field(ge=0)]
T = TypeVar("T", bound="Trained")


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Scores:
    """How good one model is on one split; precision, recall and F1 are means over the classes, `nll` is in nats."""

    accuracy: Fraction
    precision: Fraction
    recall: Fraction
    f1: Fraction
    ece: Fraction
    nll: NotNegative


@dataclass(frozen=True, config=STRICT, kw_only=True)
class StudentScores(Scores):
    """And how close it is to the teacher: the share of texts with the same class, and KL(teacher || model) in nats."""

    agreement: Fraction
    kl: float


@dataclass(frozen=True, config=STRICT, kw_only=True)
class MeanScores(StudentScores):
    """Means over the seeds, and the ends of the 95 % interval of the mean accuracy, which one seed does not have."""

    accuracy_low: Fraction
    accuracy_high: Fraction


@dataclass(frozen=True, config=STRICT, kw_only=True)
class SeedScores:
    """One seed on both splits."""

    seed: int
    validation: StudentScores
    test: StudentScores


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Means:
    """All seeds on both splits."""

    validation: MeanScores
    test: MeanScores


@dataclass(frozen=True, config=STRICT, kw_only=True)
class TeacherScores:
    """The teacher on both splits."""

    validation: Scores
    test: Scores


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Epoch:
    """What one seed reached after one epoch, epochs counted from 1; losses are means per text, in nats."""

    seed: int
    epoch: Annotated[int, Field(ge=1)]
    train_loss: float
    validation_loss: float
    validation_accuracy: Fraction


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Parameters:
    """How many are trained, and how many a prediction needs, the frozen features' included."""

    trainable: Count
    inference: Count


@dataclass(frozen=True, config=STRICT, kw_only=True)
class StudentParameters(Parameters):
    """And how many of the trained ones can change no output, whatever their value."""

    dead: Count


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Start:
    """The checkpoint that a model was initialised from."""

    path: str
    sha256: str


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Bin:
    """The texts whose confidence falls into one bin: their mean confidence, their accuracy, their number."""

    confidence: Fraction
    accuracy: Fraction
    count: Annotated[int, Field(ge=1)]


Confusion = list[list[Count]]  # rows are true classes, columns predicted ones


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Sides:
    """Teacher and chosen seed on the test split."""

    teacher: Confusion
    student: Confusion


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Reliability:
    """Teacher and chosen seed on the test split, in bins of confidence; the seed at its temperature, where it has one.

    `student` is at temperature 1.
    """

    teacher: list[Bin]
    student: list[Bin]
    calibrated: list[Bin] | None = None


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Cut:
    """The chosen seed's polynomial cut to a certified `bound`, `error` at most, of every probability of any text.

    `labels_changed` counts the test texts whose class it changes; `largest_error` is of all their probabilities.
    """

    error: Fraction
    terms: Count
    bound: Fraction
    labels_changed: Count
    largest_error: Fraction


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Surrogate:
    """The polynomial that the chosen seed's circuit is: how many coefficients it can have, how many are not zero."""

    coefficients: Count
    exact_terms: Count
    cuts: list[Cut]


@dataclass(frozen=True, config=STRICT, kw_only=True)
class TrainedOn:
    """How many texts with a label, and without one, a model was trained on."""

    labelled: Count
    pool: Count


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Trained:
    """What student and comparators have in common.

    `settings` is the configuration that was chosen; `features_saw_labels` says whether the features were fitted to the
    labels, and is None of what reads texts. `seconds_per_epoch` is for all seeds side by side; `inference_seconds` for
    `inference_texts` texts. `trained_on` counts the texts that were learned from, `cache` is the fingerprint of the
    teacher's cache.
    """

    task: str
    teacher: str
    labels: Annotated[list[str], Field(min_length=2)]
    parameters: Parameters
    settings: dict[str, Any]
    tuning: Tuning
    seeds: Annotated[list[SeedScores], Field(min_length=1)]
    selected_seed: int
    metrics: Means
    curves: list[Epoch]
    seconds_per_epoch: NotNegative
    inference_seconds: NotNegative
    inference_texts: Annotated[int, Field(ge=1)]
    trained_on: TrainedOn
    features_saw_labels: bool | None = None
    cache: str
    format: Literal[2] = FORMAT

    def __post_init__(self) -> None:
        if self.selected_seed not in {one.seed for one in self.seeds}:
            raise ValueError(f"selected_seed must be one of the seeds, got {self.selected_seed}")

    @property
    def chosen(self) -> SeedScores:
        """The seed that validation chose."""
        return next(one for one in self.seeds if one.seed == self.selected_seed)

    @property
    def has_interval(self) -> bool:
        """Whether there are seeds enough, two, for an interval to say anything."""
        return len(self.seeds) > 1


@dataclass(frozen=True, config=STRICT, kw_only=True)
class PairSummary(Trained):
    """One task and teacher: the student and its teacher. `embed` is the configuration of the features.

    All scores are at temperature 1, as those of the comparators are; `calibrated`, None where labels were too few, has
    what changes with the fitted one. `coverage` and its area (under the curve of error against share answered),
    `cascade` and the answers are of the chosen seed as `predict` has it, on the test split.
    `surrogate` is None where no polynomial lies beside the student.
    """

    parameters: StudentParameters
    embed: dict[str, Any]
    engine: str
    teacher_metrics: TeacherScores
    confusion: Sides
    reliability: Reliability
    calibrated: Calibrated | None
    coverage: list[CoverageStep]
    coverage_area: Fraction
    cascade: Cascade
    surrogate: Surrogate | None = None

    @property
    def trivial(self) -> dict[str, Any]:
        """The test split's most frequent class, and the accuracy and macro F1 of saying it of every text."""
        counts = [sum(row) for row in self.confusion.student]
        share = max(counts) / sum(counts)
        # Of that class recall is 1 and precision its share; F1 is 0 of every other.
        f1 = 2 * share / (1 + share) / len(counts)
        return {"trivial_label": self.labels[counts.index(max(counts))], "trivial_accuracy": share, "trivial_f1": f1}

    @property
    def constants(self) -> dict[str, str]:
        """The one class that teacher or chosen seed says of every test text, by model, where it says but one."""
        said = {
            model: [sum(column) for column in zip(*matrix, strict=True)]
            for model, matrix in asdict(self.confusion).items()
        }
        return {
            model: self.labels[counts.index(max(counts))]
            for model, counts in said.items()
            if max(counts) == sum(counts)
        }


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Comparison(Trained):
    """One comparator, trained on the same cache. `cut_texts`: how many texts were longer than it reads."""

    comparator: str
    reads: Literal["features", "texts"]
    cut_texts: Count | None = None
    initialised_from: Literal["scratch"] | Start = field(default="scratch")


def list_metrics(summary: Trained) -> dict[str, Any]:
    """What metrics/*.json holds for `dvc metrics`: by split and model, the mean scores; whose is said by its path.

    Of a student's chosen seed there is what its confidence is worth: errors before and after calibration, and, of the
    test split, the area under the risk-coverage curve and the part of texts that a cascade sends to the teacher.
    """
    metrics = asdict(summary.metrics)
    size = {"trainable_parameters": summary.parameters.trainable}
    if isinstance(summary, PairSummary):
        teacher, chosen = asdict(summary.teacher_metrics), _list_confidence(summary)
        return {
            split: {"teacher": teacher[split], "student": found | size, "chosen_seed": chosen[split]}
            for split, found in metrics.items()
        }
    return {split: {"comparator": found | size} for split, found in metrics.items()}


def _list_confidence(summary: PairSummary) -> dict[str, dict[str, float]]:
    before, after = asdict(summary.chosen), summary.calibrated
    chosen = {split: {name: before[split][name] for name in ("ece", "nll")} for split in asdict(summary.metrics)}
    if after is not None:
        for split, found in chosen.items():
            found |= {f"{name}_calibrated": value for name, value in asdict(after)[split].items()}
            found["temperature"] = after.temperature
    matching = summary.cascade.matching
    chosen["test"] |= {"risk_coverage_area": summary.coverage_area}
    chosen["test"] |= {"sent_to_teacher": matching.sent, "cascade_accuracy": matching.accuracy}
    return chosen


def write_summary(path: Path, summary: Trained) -> None:
    """Publish `summary` as JSON."""
    write_json(path, asdict(summary))


def read_pair(path: Path) -> PairSummary:
    """A student's summary.

    Raises:
        UserError: `path` is missing, damaged, or of another format.
    """
    return _read(path, PairSummary, "evaluate")


def read_comparison(path: Path, stage: str) -> Comparison:
    """A comparator's, which `stage` writes.

    Raises:
        UserError: `path` is missing, damaged, or of another format.
    """
    return _read(path, Comparison, stage)


def _read(path: Path, kind: type[T], stage: str) -> T:
    try:
        text = path.read_text(encoding="utf-8")
        found = json.loads(text).get("format", 1)
    except FileNotFoundError:
        raise UserError(f"{path} must exist; run `dvc repro {stage}`") from None
    except (ValueError, AttributeError):
        raise UserError(f"{path} must be a mapping in JSON, got something else; run `dvc repro {stage}`") from None
    if found != FORMAT:
        raise UserError(f"{path} must be of format {FORMAT}, got {found}; run `dvc repro {stage}`")
    try:
        return TypeAdapter(kind).validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise UserError(f"{path}: {place}: {first['msg']}; run `dvc repro {stage}`") from None
