"""Every setting of a config's grid trained, and the best of them by validation.

In: a config with a grid, what builds a model of a setting, the dataset.  Out: tune(), choose_setting().
Imports: numpy.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from student_jax.data.dataset import Split
from student_jax.model import Model
from student_jax.training.best_epochs import Training
from student_jax.training.settings import Failure, train_settings
from student_jax.tunable import Setting, Tuning, list_points, set_values
from teacher_cache.errors import UserError

C = TypeVar("C", bound=Any)


def tune(
    config: C, build: Callable[[C], Model], dataset: Mapping[str, Split], seed: int, name: str
) -> tuple[C, Training, Tuning]:
    """Train every setting of `config.grid`; of an empty one, `config` itself.

    Best is the smallest validation loss, the mean over the seeds, each in its best epoch: what chooses epoch and seed
    chooses the setting, too. Test rows have no say.

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
    tuning = choose_setting([_judge(point, found) for point, found in zip(points, trained, strict=True)])
    chosen = trained[tuning.chosen]
    if isinstance(chosen, Failure):
        raise UserError(f"{name}: {chosen.problem}")
    return configs[tuning.chosen], chosen, tuning


def choose_setting(settings: Sequence[Setting]) -> Tuning:
    """The setting of the smallest validation loss, the first of equals; one without a loss only where all are so."""
    losses = [np.inf if one.validation_loss is None else one.validation_loss for one in settings]
    return Tuning(settings=list(settings), chosen=int(np.argmin(losses)))


def _judge(point: dict[str, Any], found: Training | Failure) -> Setting:
    if isinstance(found, Failure):
        return Setting(values=point, validation_loss=None, validation_accuracy=None)
    best = found.best_results()
    loss = float(np.mean([result.validation_loss for result in best]))
    accuracy = float(np.mean([result.validation_accuracy for result in best]))
    return Setting(values=point, validation_loss=loss, validation_accuracy=accuracy)
