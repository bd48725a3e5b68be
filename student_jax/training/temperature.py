"""The temperature of a student: the one number that makes its validation texts' labels the likeliest.

In: what was trained, the validation split.  Out: calibrate(), fit_temperature(), minimise_loss().
Imports: NumPy, SciPy.
"""

import logging

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from student_jax.calibration import COLDEST, HOTTEST, LEAST_LABELS, Calibration, rank_answers, soften
from student_jax.data.dataset import Split
from student_jax.training.best_epochs import Training

LOG = logging.getLogger(__name__)


def calibrate(training: Training, validation: Split, name: str) -> Calibration | None:
    """The Calibration of the selected seed; None, and a line in the log, where there are too few labels.

    Args:
        training: what `train` returned.
        validation: the split that chose the epoch and the seed, too.
        name: prefix of the log line.
    """
    labels = np.asarray(validation.labels)
    if len(labels) < LEAST_LABELS:
        LOG.info(
            "%s: not calibrated, validation has %d labels and must have %d; probabilities stay softmax(scores)",
            *(name, len(labels), LEAST_LABELS),
        )
        return None
    scores = training.score(training.parameters, validation.features)[training.selected]
    temperature = fit_temperature(scores, labels)
    probabilities = soften(scores, temperature)
    right = probabilities.argmax(axis=1) == labels
    if right.all():
        LOG.info("%s: all %d validation texts are right, so the temperature stays 1", name, len(labels))
    confidences, texts, hits = rank_answers(probabilities.max(axis=1), right)
    return Calibration(temperature=temperature, confidences=confidences, texts=texts, right=hits)


def fit_temperature(scores: Float[np.ndarray, "rows classes"], labels: Int[np.ndarray, " rows"]) -> float:
    """The temperature in [COLDEST, HOTTEST] with the smallest mean of -log(probability of the true class).

    That loss is convex in 1 / temperature, so that there is one. Where every row is right the loss falls for ever
    towards temperature 0, and says nothing: 1 is kept.
    Source: Guo et al. 2017, arXiv:1706.04599, section 4.2.
    """
    if np.array_equal(scores.argmax(axis=1), labels):
        return 1.0
    temperature, _ = minimise_loss(scores, np.eye(scores.shape[1])[labels])
    return temperature


def minimise_loss(
    scores: Float[np.ndarray, "rows classes"], targets: Float[np.ndarray, "rows classes"]
) -> tuple[float, float]:
    """The temperature in [COLDEST, HOTTEST] with the smallest mean cross entropy of `targets`, and that, in nats."""
    scores = scores.astype(float)

    def measure_loss(log_temperature: float) -> float:
        return -float((targets * log_softmax(scores / np.exp(log_temperature), axis=1)).sum(axis=1).mean())

    bounds = (float(np.log(COLDEST)), float(np.log(HOTTEST)))
    found = minimize_scalar(measure_loss, bounds=bounds, method="bounded", options={"xatol": 1e-6})
    return float(np.clip(np.exp(found.x), COLDEST, HOTTEST)), float(found.fun)
