"""What validation says of a student's confidence: its temperature, and how often it is right how sure.

In: scores of the validation split and its labels, or student.json.
Out: Calibration, Threshold, LEAST_LABELS, HOTTEST, COLDEST, soften(), rank_answers(), find_threshold(),
require_confidence().
Imports: NumPy, pydantic.
"""

from typing import Annotated, NamedTuple

import numpy as np
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from teacher_cache.errors import UserError

# Of fewer labels the temperature of the smallest loss is that of their noise.
LEAST_LABELS = 50
# A wanted accuracy must be reached by so many validation texts: any student has a few that it is sure and right of.
LEAST_ANSWERED = 20
# The scores of a readout of expectation values, within some +-10 after training, are sharp and flat enough with these.
COLDEST, HOTTEST = 0.01, 100.0
# So many steps of confidence are kept at most, of as many texts each.
MAX_STEPS = 200

STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0, le=1 << 40)]


class Threshold(NamedTuple):
    """A least confidence, and of the `texts` of validation how many it answers and how many of those are right."""

    confidence: float
    answered: int
    right: int
    texts: int


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Calibration:
    """What was fitted on a student's validation split.

    Probabilities are softmax(scores / temperature). The other three are of equal length, one entry a step of falling
    confidence: the least confidence of the step's texts, how many there are, and of how many the likeliest class is
    right. Confidence is the probability of the likeliest class.
    """

    temperature: Annotated[float, Field(ge=COLDEST, le=HOTTEST)]
    confidences: Annotated[list[Fraction], Field(min_length=1, max_length=MAX_STEPS)]
    texts: Annotated[list[Count], Field(min_length=1, max_length=MAX_STEPS)]
    right: Annotated[list[Count], Field(min_length=1, max_length=MAX_STEPS)]

    def __post_init__(self) -> None:
        if not len(self.confidences) == len(self.texts) == len(self.right):
            raise ValueError("confidences, texts and right must be of one length")
        if sorted(self.confidences, reverse=True) != self.confidences:
            raise ValueError("confidences must fall")
        if any(right > texts for right, texts in zip(self.right, self.texts, strict=True)):
            raise ValueError("right must be at most texts")
        if sum(self.texts) < LEAST_LABELS:
            raise ValueError(f"texts must be {LEAST_LABELS} at least")


def soften(scores: np.ndarray, temperature: float) -> np.ndarray:
    """softmax(scores / temperature) of scores (..., classes), in their type; at 1 their softmax to the bit.

    The order of a row's classes stays, and with it the label.
    Source: Guo et al. 2017, arXiv:1706.04599, equation 9.
    """
    powers = np.exp((scores - scores.max(axis=-1, keepdims=True)) / temperature)
    return powers / powers.sum(axis=-1, keepdims=True)


def rank_answers(
    confidence: np.ndarray, right: np.ndarray, steps: int = MAX_STEPS
) -> tuple[list[float], list[int], list[int]]:
    """The three lists of a Calibration: at most `steps` steps of about as many texts, equal confidences in one.

    Args:
        confidence: (rows,) of the likeliest classes.
        right: (rows,), whether they are the true ones.
        steps: at most.
    """
    order = np.argsort(-confidence, kind="stable")
    confidence, right = confidence[order], right[order]
    # A step ends behind the last of equals.
    ends = np.unique(np.linspace(0, len(order), min(steps, len(order)) + 1).astype(int)[1:])
    ends = np.unique(np.searchsorted(-confidence, -confidence[ends - 1], side="right"))
    counts = np.diff(ends, prepend=0)
    hits = np.diff(np.cumsum(right)[ends - 1], prepend=0)
    return confidence[ends - 1].astype(float).tolist(), counts.tolist(), hits.tolist()


def find_threshold(calibration: Calibration | None, accuracy: float) -> Threshold:
    """The least confidence at which the validation texts that are answered are right as often as `accuracy`.

    Args:
        calibration: of the student; None where it has none.
        accuracy: wanted, above 0 and at most 1.

    Raises:
        UserError: `accuracy` is none, the student has no calibration, or validation does not reach it.
    """
    if not 0 < accuracy <= 1:
        raise UserError(f"accuracy must be above 0 and at most 1, got {accuracy:g}")
    if calibration is None:
        raise UserError(
            f"a wanted accuracy needs a student that was trained with {LEAST_LABELS} validation labels at least, by "
            "version 0.2.0 or later, got one without a calibration; name a confidence instead, or train it again"
        )
    answered, right = np.cumsum(calibration.texts), np.cumsum(calibration.right)
    shares = np.where(answered >= LEAST_ANSWERED, right / np.maximum(answered, 1), -1.0)
    reached = np.flatnonzero(shares >= accuracy)
    if not len(reached):
        best = int(np.floor(shares.max() * 1000))
        raise UserError(
            f"accuracy must be one that {LEAST_ANSWERED} validation texts or more reach together, at most "
            f"{best / 1000:g}, got {accuracy:g}; want less, or name a confidence"
        )
    last = int(reached[-1])
    return Threshold(calibration.confidences[last], int(answered[last]), int(right[last]), int(answered[-1]))


def require_confidence(confidence: float) -> None:
    """Refuse what is no least confidence.

    Raises:
        UserError: it is not from 0 to 1.
    """
    if not 0 <= confidence <= 1:
        raise UserError(f"confidence must be from 0 to 1, got {confidence:g}")
