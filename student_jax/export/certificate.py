"""What a trained student's polynomial says of it: how few terms give its probabilities, and how nearly.

In: a Checkpoint, its folder, features.  Out: Cut, sort_student(), add_surrogate(), complete_student(),
read_surrogate(), tabulate_cuts().
Imports: numpy, checkpoint.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from student_jax.calibration import soften
from student_jax.checkpoint import Checkpoint, find_owner, load_checkpoint
from student_jax.circuit.stored_terms import StoredTerms, load_terms, save_terms
from student_jax.circuit.surrogate import build_coefficients, find_obstacle
from student_jax.circuit.terms import Terms, cut_terms, fill_coefficients, score_angles, sort_terms
from student_jax.config import CircuitConfig
from student_jax.data.stored import StoredValues

_ROWS = 8192  # of features that are read at once
ERRORS = (0.1, 0.05, 0.01, 0.001)


class Cut(NamedTuple):
    """The fewest terms, over all classes, whose certified `bound` is `error` at most, and what they do to given texts.

    `labels_changed` counts texts whose likeliest class is another one; `largest_error` is of all their probabilities.
    Both are None where there are no texts.
    """

    error: float
    terms: int
    bound: float
    labels_changed: int | None
    largest_error: float | None


def sort_student(checkpoint: Checkpoint) -> Terms:
    """All terms of the chosen seed's polynomial.

    Raises:
        UserError: its circuit has none, or too large a one.
    """
    description, parameters = checkpoint.description, checkpoint.selected_parameters
    angles = parameters.angles
    if description.config.circuit.file is None:
        angles = type(angles)(*(array[0] for array in angles))
    readout = None if parameters.readout is None else (parameters.readout.weight[0], parameters.readout.bias[0])
    return sort_terms(build_coefficients(description.config.circuit, len(description.labels), angles, readout))


def add_surrogate(folder: Path, checkpoint: Checkpoint, terms: Terms) -> None:
    """Publish the files of the polynomial that `sort_student` gave, in the folder of its student."""
    save_terms(folder, terms, find_owner(folder, checkpoint))


def complete_student(folder: Path, circuit: CircuitConfig, classes: int) -> None:
    """The same for a student that was saved in `folder`, where its circuit has a polynomial of a size that is kept."""
    if find_obstacle(circuit, classes) is None:
        checkpoint = load_checkpoint(folder)
        add_surrogate(folder, checkpoint, sort_student(checkpoint))


def read_surrogate(folder: Path, checkpoint: Checkpoint) -> StoredTerms | None:
    """The terms that are stored beside the student in `folder`; None where none are.

    Raises:
        UserError: a file is missing, damaged, edited, or another student's.
    """
    return load_terms(folder, find_owner(folder, checkpoint))


def find_angles(checkpoint: Checkpoint, features: np.ndarray | StoredValues) -> Float[np.ndarray, "rows qubits"]:
    """The encoding's angles of the chosen seed, in float64."""
    encoding = checkpoint.selected_parameters.encoding
    weight = encoding.weight[0].astype(np.float64)
    z = [features[start : start + _ROWS].astype(np.float64) @ weight for start in range(0, len(features), _ROWS)]
    return np.concatenate(z) + encoding.bias[0]


def tabulate_cuts(
    terms: Terms,
    errors: Sequence[float],
    temperature: float,
    z: Float[np.ndarray, "rows qubits"] | None = None,
    exact: Float[np.ndarray, "rows classes"] | None = None,
) -> list[Cut]:
    """What `terms` cut to each of `errors` do.

    Args:
        terms: of the polynomial, in the order of their sizes.
        errors: in probabilities; where even all terms have a larger bound, all are taken and the bound says so.
        temperature: what scores are divided by before their softmax.
        z: the encoding's angles of some texts; None where there are none.
        exact: the student's own scores of them.
    """
    cuts = []
    for error in errors:
        cut, bound = cut_terms(terms, error, temperature)
        changed, largest = None, None
        if z is not None and exact is not None:
            wanted = soften(exact, temperature)
            found = soften(score_angles(fill_coefficients(cut), z), temperature)
            changed = int((found.argmax(axis=1) != wanted.argmax(axis=1)).sum())
            largest = float(np.abs(found - wanted).max())
        cuts.append(Cut(error, len(cut.positions), bound, changed, largest))
    return cuts
