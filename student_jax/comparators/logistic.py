"""Logistic regression on the student's own features: what these give without any teacher, and with one.

In: LogisticConfig or DistilledConfig, the dataset.  Out: fit_logistic().  Imports: scikit-learn, threadpoolctl, numpy.
"""

import logging
import time
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int
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

MAX_ITERATIONS = 1000


def fit_logistic(
    config: LogisticConfig, dataset: Mapping[str, Split], seed: int, name: str
) -> tuple[LogisticConfig, Training, Tuning]:
    """Fit every setting of the grid; the best by the calibrated loss, of what it was fitted to, on `validation`.

    A LogisticConfig is fitted to the labels of split `train`, a DistilledConfig to the teacher's answers to `train` and
    `pool` as well, each row once for each class and weighed by what its class has of the answer.
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
    from sklearn.linear_model import LogisticRegression  # takes a second to import

    start = time.perf_counter()
    # Products of a matrix and a vector, a few hundred thousand: threads wait for each other twenty times as long.
    with threadpool_limits(1, "blas"):
        model = LogisticRegression(C=config.C, max_iter=MAX_ITERATIONS).fit(*_take_rows(config, dataset))
    seconds = time.perf_counter() - start
    weight, bias = model.coef_.T, model.intercept_
    if len(model.classes_) == 2:  # one column, the second class's score beside a first of 0
        weight, bias = np.hstack([np.zeros_like(weight), weight]), np.concatenate([np.zeros_like(bias), bias])
    return Affine(weight.astype(np.float32), bias.astype(np.float32)), seconds


def _take_rows(
    config: LogisticConfig, dataset: Mapping[str, Split]
) -> tuple[Float[np.ndarray, "rows dimensions"], Int[np.ndarray, " rows"], Float[np.ndarray, " rows"] | None]:
    """Features, classes and weights of what is fitted; all weigh alike where there are no weights."""
    if not isinstance(config, DistilledConfig):
        return dataset["train"].features[:], dataset["train"].labels, None
    rows = join_pool(dataset, None)
    if rows.known is not None:
        sure = softmax(rows.logits, axis=1).max(axis=1) >= config.confidence
        rows = select_rows(rows, rows.known | sure)
    targets = mix_targets(config.soft, rows)
    classes = np.tile(np.arange(targets.shape[1]), len(targets))
    return np.repeat(np.asarray(rows.features), targets.shape[1], axis=0), classes, targets.ravel()


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
