"""What is told of a student's confidence: calibrated or not, what abstaining buys, and what asking the teacher does.

In: numbers of an evaluation.  Out: Errors, Calibrated, CoverageStep, Sending, Cascade, parts of a PairSummary.
Imports: pydantic.
"""

from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
Fraction = Annotated[float, Field(ge=0, le=1)]
Difference = Annotated[float, Field(ge=-1, le=1)]


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Errors:
    """Expected calibration error, and mean negative log-likelihood in nats."""

    ece: Fraction
    nll: Annotated[float, Field(ge=0)]


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Calibrated:
    """The chosen seed at the temperature that was fitted on `labels` validation labels; without it, see its scores."""

    temperature: Annotated[float, Field(gt=0)]
    labels: Annotated[int, Field(ge=1)]
    validation: Errors
    test: Errors


@dataclass(frozen=True, config=STRICT, kw_only=True)
class CoverageStep:
    """The surest texts: their share of all, the least confidence among them, the accuracy on them."""

    coverage: Fraction
    confidence: Fraction
    accuracy: Fraction


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Sending:
    """What comes of sending the texts of a confidence below `threshold` to the teacher; where it is None, all.

    `planned` is the part of validation that is sent, which the threshold was chosen by. All else is of the test split:
    the part that is sent, the accuracy with its 95 % interval over the choice of test texts, and the accuracy that is
    to be expected where as many texts are sent at random.
    """

    threshold: Fraction | None
    planned: Fraction
    sent: Fraction
    accuracy: Fraction
    accuracy_low: Fraction
    accuracy_high: Fraction
    random: Fraction


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Cascade:
    """The student's answers where it is sure, else the teacher's: `curve`, from none of the texts to all.

    `matching` sends the least part with which validation has the teacher's accuracy there; `difference` is its accuracy
    less the teacher's on the test split, with the 95 % interval of the paired bootstrap. The accuracies of student and
    teacher alone are of that split, too; `validation_texts` and `test_texts` say how many texts there are.
    """

    curve: Annotated[list[Sending], Field(min_length=2)]
    matching: Sending
    difference: Difference
    difference_low: Difference
    difference_high: Difference
    student: Fraction
    teacher: Fraction
    validation_texts: Annotated[int, Field(ge=1)]
    test_texts: Annotated[int, Field(ge=1)]
