"""Every setting of a config's grid trained, and the best of them by validation.

In: a config with a grid, what builds a model of a setting, the dataset.  Out: tune(), choose_setting(), mix_targets().
Imports: numpy, scipy.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float
from scipy.special import softmax

from student_jax.config import LossConfig
from student_jax.data.dataset import Split
from student_jax.model import Model
from student_jax.training.best_epochs import Training
from student_jax.training.settings import Failure, train_settings
from student_jax.training.temperature import minimise_loss
from student_jax.tunable import Setting, Tuning, list_points, set_values
from teacher_cache.errors import UserError

C = TypeVar("C", bound=Any)
LOG = logging.getLogger(__name__)


def tune(
    config: C, build: Callable[[C], Model], dataset: Mapping[str, Split], seed: int, name: str
) -> tuple[C, Training, Tuning]:
    """Train every setting of `config.grid`; of an empty one, `config` itself.

    Best is the smallest calibrated loss, the mean over the seeds, each in its best epoch. Test rows have no say.

    A penalty makes scores small as well as simple, and a loss of small scores is large, however well they part the
    classes: it prefers a weaker penalty than accuracy does, the more so the fewer texts there are. A temperature, which
    the student gets in the end anyway, undoes the first alone.

    Args:
        config: with a grid.
        build: the model of a setting.
        dataset: splits by name.
        seed: of the first student of each setting.
        name: prefix of progress bar and log lines.

    Returns:
        The chosen setting, its training, and what validation said of all.

    Raises:
        UserError: no setting trained to an end.
    """
    points = list_points(config.grid)
    configs = [set_values(config, point) for point in points]
    trained = train_settings(configs, build, dataset, seed, name)
    validation = dataset["validation"] if len(points) > 1 else None
    tuning = choose_setting(
        [_judge(point, found, config.loss, validation) for point, found in zip(points, trained, strict=True)]
    )
    for point, found in zip(points, trained, strict=True):
        if isinstance(found, Failure) and len(points) > 1:
            LOG.warning("%s: setting %s is left out: %s", name, point, found.problem)
    chosen = trained[tuning.chosen]
    if isinstance(chosen, Failure):
        raise UserError(f"{name}: {chosen.problem}")
    return configs[tuning.chosen], chosen, tuning


def choose_setting(settings: Sequence[Setting]) -> Tuning:
    """The setting of the smallest calibrated loss, the first of equals; one without only where all are so."""
    losses = [np.inf if one.calibrated_loss is None else one.calibrated_loss for one in settings]
    return Tuning(settings=list(settings), chosen=int(np.argmin(losses)))


def mix_targets(soft: float, rows: Split) -> Float[np.ndarray, "rows classes"]:
    """The teacher's answers, of which a labelled text has the part `soft`, and its label the rest."""
    targets = softmax(rows.logits, axis=1)
    known = np.full(len(targets), True) if rows.known is None else rows.known
    targets[known] = soft * targets[known] + (1 - soft) * np.eye(targets.shape[1])[rows.labels[known]]
    return targets


def _judge(point: dict[str, Any], found: Training | Failure, loss: LossConfig, validation: Split | None) -> Setting:
    if isinstance(found, Failure):
        return Setting(values=point, validation_loss=None, validation_accuracy=None)
    best, calibrated = found.best_results(), None
    if validation is not None:
        soft = loss.soft * (loss.kl + loss.js)
        targets = mix_targets(soft / (soft + loss.hard), validation)
        scores = found.score(found.parameters, validation.features)
        calibrated = float(np.mean([minimise_loss(one, targets)[1] for one in scores]))
    return Setting(
        values=point,
        validation_loss=float(np.mean([result.validation_loss for result in best])),
        validation_accuracy=float(np.mean([result.validation_accuracy for result in best])),
        calibrated_loss=calibrated,
    )
