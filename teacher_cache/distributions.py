"""Whatever somebody gives of a text's classes -> probabilities, and the logits that a cache can hold.

In: (rows, classes) numbers.  Out: Kind, softmax(), to_probabilities(), find_excess(), to_logits().  Imports: NumPy
alone.
"""

from typing import Literal

import numpy as np

Kind = Literal["probabilities", "logits", "log_probabilities"]
# A probability of 0 has no logit, and one that was rounded to 0 is not 0. Of every kind, so that a file means the same
# in whichever of them it is written.
FLOOR = 1e-6


def softmax(logits: np.ndarray) -> np.ndarray:
    """Softmax over the last axis at temperature 1, computed in float64 and rounded to float32 once."""
    return _softmax(logits).astype(np.float32)


def to_probabilities(values: np.ndarray, kind: Kind, elsewhere: np.ndarray) -> np.ndarray:
    """What `values` say of each class; the sums are as they are given.

    Args:
        values: (rows, classes); NaN where a list of the likeliest ends before a class, never all of a row. Classes that
            are so absent share evenly what the others leave. Logits have none.
        kind: what the numbers are; minus infinity is the logarithm of 0.
        elsewhere: (rows,) the probability of what is no class, of which the classes have no share.

    Returns:
        (rows, classes) float64.
    """
    if kind == "logits":
        return _softmax(values)
    given = np.exp(values) if kind == "log_probabilities" else values.astype(np.float64)
    absent = np.isnan(given)
    rest = np.maximum(1 - elsewhere - np.nansum(given, axis=1), 0) / np.maximum(absent.sum(axis=1), 1)
    return np.where(absent, rest[:, None], given)


def find_excess(probabilities: np.ndarray, elsewhere: np.ndarray) -> np.ndarray:
    """By how much each row is off: its sum and what is `elsewhere` should be 1."""
    return np.abs(probabilities.sum(axis=1) + elsewhere - 1)


def to_logits(probabilities: np.ndarray) -> np.ndarray:
    """log(max(p, FLOOR)) of rows made to add up to 1, before and after: float32, a softmax of which gives them back."""
    held = np.maximum(probabilities / probabilities.sum(axis=1, keepdims=True), FLOOR)
    return np.log(held / held.sum(axis=1, keepdims=True)).astype(np.float32)


def _softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    exponentials = np.exp(shifted)
    probabilities: np.ndarray = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return probabilities
