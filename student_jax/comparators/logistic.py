"""Logistic regression on the student's own features: what these give without any teacher, and with one.

In: LogisticConfig or DistilledConfig, the dataset.  Out: fit_logistic(), fit_affine().
Imports: scipy, threadpoolctl, numpy.
"""

import logging
import time
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from threadpoolctl import threadpool_limits

from student_jax.comparators.comparator_config import DistilledConfig, LogisticConfig
from student_jax.data.dataset import Split
from student_jax.data.stored import StoredValues
from student_jax.data.training_rows import join_pool, select_rows
from student_jax.parameters import Affine
from student_jax.training.best_epochs import Training
from student_jax.training.temperature import minimise_loss
from student_jax.training.tuning import choose_setting, mix_targets
from student_jax.tunable import Setting, Tuning, list_points, set_values

LOG = logging.getLogger(__name__)

# Where L-BFGS ends, as scikit-learn's does: of the mean loss of a row.
PRECISION = {"gtol": 1e-4, "ftol": 64 * np.finfo(float).eps, "maxiter": 1000}


def fit_logistic(
    config: LogisticConfig, dataset: Mapping[str, Split], seed: int, name: str
) -> tuple[LogisticConfig, Training, Tuning]:
    """Fit every setting of the grid; the best by the calibrated loss, of what it was fitted to, on `validation`.

    A LogisticConfig is fitted to the labels of split `train`, a DistilledConfig to the teacher's answers to `train` and
    `pool` as well.
    Nothing in it is random: there is one seed, no epoch and no curve, and `seconds_per_epoch` are those of the fit.

    Args:
        config: with a grid.
        dataset: splits by name.
        seed: what the one fit is called.
        name: prefix of log lines.
    """
    points = list_points(config.grid)
    configs = [set_values(config, point) for point in points]
    fits = [_fit(one, dataset) for one in configs]
    validation = dataset["validation"]
    tuning = choose_setting(
        [_judge(one, point, affine, validation) for one, point, (affine, _) in zip(configs, points, fits, strict=True)]
    )
    affine, seconds = fits[tuning.chosen]
    best = tuning.settings[tuning.chosen]
    text = "%s: validation loss %.4f, accuracy %.4f, %.2f s"
    LOG.info(text, name, best.validation_loss, best.validation_accuracy, seconds)
    parameters = Affine(affine.weight[None], affine.bias[None])
    return configs[tuning.chosen], Training(parameters, [seed], [0], 0, [], seconds, score_affine), tuning


def score_affine(parameters: Affine, features: np.ndarray | StoredValues) -> Float[np.ndarray, "seeds rows classes"]:
    """Scores of every seed, as `build_scorer`'s are."""
    return features[:] @ parameters.weight + parameters.bias[:, None]


def _fit(config: LogisticConfig, dataset: Mapping[str, Split]) -> tuple[Affine, float]:
    start = time.perf_counter()
    return fit_affine(*_take_rows(config, dataset), config.C), time.perf_counter() - start


def fit_affine(
    features: Float[np.ndarray, "rows dimensions"], targets: Float[np.ndarray, "rows classes"], strength: float
) -> Affine:
    """The scores of the smallest |weight|^2 / 2 + strength * cross entropy, summed over rows; the bias has no penalty.

    Of one-hot targets it is scikit-learn's LogisticRegression(C=strength), which takes no distribution for a target but
    by a row for each of its classes. As there, the first of two classes keeps the score 0.

    Args:
        features: of any float type, in which they are multiplied.
        targets: what each class of a row weighs; a row's sum is the row's weight.
        strength: C, more than 0.
    """
    dimensions, classes = features.shape[1], targets.shape[1]
    first = 1 if classes == 2 else 0
    mass = targets.sum(axis=1, keepdims=True)
    penalty = 1 / (strength * mass.sum())

    def spread(flat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weight (dimensions, classes) and bias of what is free."""
        both = np.zeros((dimensions + 1, classes))
        both[:, first:] = flat.reshape(dimensions + 1, classes - first)
        return both[:-1], both[-1]

    def measure(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weight, bias = spread(flat)
        logs = log_softmax(features @ weight.astype(features.dtype) + bias, axis=1)
        pull = (np.exp(logs) * mass - targets) / mass.sum()
        slope = np.vstack([penalty * weight + features.T @ pull.astype(features.dtype), pull.sum(axis=0)])
        loss = penalty * (weight**2).sum() / 2 - (targets * logs).sum() / mass.sum()
        return loss, slope[:, first:].ravel()

    # Products of a matrix and a few columns, some hundred times: threads wait for each other twenty times as long.
    with threadpool_limits(1, "blas"):
        start = np.zeros((dimensions + 1) * (classes - first))
        found = minimize(measure, start, jac=True, method="L-BFGS-B", options=PRECISION)
    weight, bias = spread(found.x)
    return Affine(weight.astype(np.float32), bias.astype(np.float32))


def _take_rows(
    config: LogisticConfig, dataset: Mapping[str, Split]
) -> tuple[Float[np.ndarray, "rows dimensions"], Float[np.ndarray, "rows classes"]]:
    """Features and targets of what is fitted."""
    if not isinstance(config, DistilledConfig):
        return dataset["train"].features[:], mix_targets(0.0, dataset["train"])
    rows = join_pool(dataset, None)
    if rows.known is not None:
        sure = softmax(rows.logits, axis=1).max(axis=1) >= config.confidence
        rows = select_rows(rows, rows.known | sure)
    return np.asarray(rows.features), mix_targets(config.soft, rows)


def _judge(config: LogisticConfig, point: dict[str, float], affine: Affine, validation: Split) -> Setting:
    """What validation says of a fit, by the very targets that it was fitted to."""
    scores = validation.features[:] @ affine.weight + affine.bias
    soft = config.soft if isinstance(config, DistilledConfig) else 0.0
    targets = mix_targets(soft, validation)
    return Setting(
        values=point,
        validation_loss=-float((targets * log_softmax(scores.astype(float), axis=1)).sum(axis=1).mean()),
        validation_accuracy=float(np.mean(scores.argmax(axis=1) == validation.labels)),
        calibrated_loss=minimise_loss(scores, targets)[1],
    )
