"""What a user of scikit-learn gives, as training rows: labels of which some are missing, texts, probabilities.

In: y, X or probabilities as `fit` takes them.
Out: Labels, read_labels(), is_texts(), read_texts(), read_logits(), hold_out().
Imports: NumPy, scikit-learn.
"""

from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from teacher_cache.distributions import find_excess, to_logits
from teacher_cache.schema import NO_LABEL
from teacher_cache.text import PLAIN

# Probabilities may be off by what two digits of each of some classes lose.
TOLERANCE = 0.02


class Labels(NamedTuple):
    """The classes, sorted, and of each row which of them it has, NO_LABEL where none."""

    classes: np.ndarray
    indices: np.ndarray

    @property
    def known(self) -> np.ndarray:
        """Which rows have a label, one truth value each."""
        return self.indices != NO_LABEL


def read_labels(y: Any) -> Labels:
    """Labels of `y`, in which None, NaN and pandas' NA are none; any other value is a class, -1 too.

    Raises:
        ValueError: `y` has two columns or more, no label, or is no classification's.
    """
    values = column_or_1d(y if hasattr(y, "dtype") else np.array(y, dtype=object), warn=True)
    known = np.array([not _is_missing(value) for value in values.tolist()], bool)
    labels = np.array(values[known].tolist()) if values.dtype == object else values[known]
    if not len(labels):
        raise ValueError(f"y must have at least one row with a label, got {len(values)} rows without")
    if labels.dtype.kind == "U" and not all(isinstance(value, str) for value in values[known].tolist()):
        raise ValueError("y must be all text or all numbers, got both")
    check_classification_targets(labels)
    indices = np.full(len(values), NO_LABEL, np.int32)
    classes, indices[known] = np.unique(labels, return_inverse=True)
    return Labels(classes, indices)


def _is_missing(value: Any) -> bool:
    try:
        return value is None or bool(value != value)
    except TypeError:  # pandas' NA, which is neither equal to itself nor not
        return True


def is_texts(rows: Any) -> bool:
    """Whether rows are texts, and not features."""
    return getattr(rows, "ndim", 1) == 1 and hasattr(rows, "__iter__") and any(isinstance(row, str) for row in rows)


def read_texts(rows: Any) -> list[str]:
    """Texts of any sequence of them.

    Raises:
        ValueError: one string in place of a sequence, or a row that cannot be read.
    """
    if isinstance(rows, str):
        raise ValueError("X must be a list of texts, got one text; put it in brackets")
    texts = list(rows)
    for place, text in enumerate(texts):
        if fault := PLAIN.explain_fault(text):
            raise ValueError(f"X[{place}]: {fault}; leave the row out")
    return texts


def read_logits(probabilities: Any, rows: int, classes: int) -> np.ndarray:
    """Logits (rows, classes), float32, of the probabilities of each class.

    Raises:
        ValueError: another shape, a value that is no probability, or a row that does not add up to 1.
    """
    values = np.asarray(probabilities, np.float64)
    if values.shape != (rows, classes):
        raise ValueError(
            f"probabilities must have a row for each of {rows} rows of X and a column for each of {classes} classes in "
            f"y, got shape {values.shape}"
        )
    if not ((values >= 0) & (values <= 1 + TOLERANCE)).all():
        raise ValueError("probabilities must be numbers from 0 to 1, got others")
    excess = find_excess(values, np.zeros(rows))
    if excess.max() > TOLERANCE:
        place = int(excess.argmax())
        raise ValueError(f"probabilities[{place}] must add up to 1, got {values[place].sum():.4g}")
    return to_logits(values)


def hold_out(labels: Labels, fraction: float, generator: np.random.Generator) -> np.ndarray:
    """Of each class so large a share of its rows, rounded down, at random: one truth value a row."""
    held = np.zeros(len(labels.indices), bool)
    for index in range(len(labels.classes)):
        rows = np.flatnonzero(labels.indices == index)
        held[generator.permutation(rows)[: int(fraction * len(rows))]] = True
    return held
