"""How few terms of a student's polynomial give its answers to the test texts.

In: a Checkpoint, its folder, features and scores of the test split.  Out: describe_surrogate().
Imports: student_jax; no torch.
"""

from pathlib import Path

import numpy as np

from pipeline.evaluation.summary import Cut, Surrogate
from student_jax.checkpoint import Checkpoint
from student_jax.circuit.surrogate import find_obstacle
from student_jax.data.stored import StoredValues
from student_jax.export.certificate import find_angles, read_surrogate, tabulate_cuts

ERRORS = (0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0001)


def describe_surrogate(
    checkpoint: Checkpoint, folder: Path, features: np.ndarray | StoredValues, scores: np.ndarray
) -> Surrogate | None:
    """The polynomial beside the student in `folder`, and what it does to the test texts when it is cut.

    Args:
        checkpoint: the student.
        folder: where it is.
        features: of the test texts.
        scores: what the chosen seed's circuit gives them, (rows, classes).

    Returns:
        None where there is no polynomial. None is computed here.
    """
    description = checkpoint.description
    circuit, classes = description.config.circuit, len(description.labels)
    stored = read_surrogate(folder, checkpoint) if find_obstacle(circuit, classes) is None else None
    if stored is None:
        return None
    z = find_angles(checkpoint, features)
    cuts = tabulate_cuts(stored.terms, ERRORS, description.temperature, z, scores)
    return Surrogate(
        coefficients=classes * 3**circuit.qubits,
        exact_terms=stored.exact_terms,
        cuts=[Cut(**cut._asdict()) for cut in cuts],
    )
