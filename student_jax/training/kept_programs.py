"""Training and scoring of arrays in memory by programs that are kept, so that most fits of a process compile nothing.

In: StudentConfig, a dataset, numbers of classes.  Out: train_kept(), plan_epochs(), score_kept().  Imports: jax.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import jax
import numpy as np

from student_jax.config import StudentConfig
from student_jax.data.dataset import Split
from student_jax.data.training_rows import count_rows
from student_jax.model import Model, Score, build_model, build_scorer
from student_jax.parameters import Affine, Parameters
from student_jax.training.best_epochs import Divergence, Training
from student_jax.training.programs import Programs, compile_programs
from student_jax.training.trainer import name_program, train_together
from teacher_cache.errors import UserError

# Steps of an epoch at least. An epoch ends in a validation, which costs a few rows as much as a step.
STEPS = 16
# Features become a multiple of these, with zeros, of which nothing is learned; rows are scored so many at a time.
DIMENSIONS, ROWS = 16, 256
# Programs of so many shapes are kept, the last used ones; one takes some MiB.
KEPT = 16


def train_kept(config: StudentConfig, dataset: Mapping[str, Split], classes: int, seed: int) -> Training:
    """Train as `train` does, but that an epoch is a power of two of steps, STEPS at least, whatever the rows.

    Args:
        config: its `epochs` are how often each row has a turn at least, its `min_steps` as elsewhere.
        dataset: splits by name, in memory.
        classes: how many.
        seed: of the first student.

    Raises:
        UserError: a validation loss is not finite; or as build_model.
    """
    rows = count_rows(dataset, config.pool)
    config = replace(config, batch_size=min(config.batch_size, 1 << (rows - 1).bit_length()))
    steps, epochs = plan_epochs(config, rows)
    programs = _compile_training(replace(name_program(config), grid={}, epochs=epochs), steps, classes)
    dimensions = dataset["train"].features.shape[1]
    (training,) = train_together(
        [_widen(build_model(config, dimensions, classes), dimensions)],
        {name: split._replace(features=_fill(split.features)) for name, split in dataset.items()},
        *([config], seed, lambda *_: None, programs),
    )
    if isinstance(training, Divergence):
        raise UserError(f"validation loss must be finite, got {training.loss}; lower learning_rate")
    return training._replace(parameters=_cut(training.parameters, dimensions))


def plan_epochs(config: StudentConfig, rows: int) -> tuple[int, int]:
    """Steps of an epoch, and epochs, in which each row has its turns and the optimizer its steps."""
    steps = 1 << max(STEPS, rows // config.batch_size).bit_length() - 1
    turns = -(-config.epochs * rows // (steps * config.batch_size))
    return steps, max(turns, -(-config.min_steps // steps))


def score_kept(config: StudentConfig, classes: int, parameters: Parameters, features: np.ndarray) -> np.ndarray:
    """Scores (seeds, rows, classes) in float64: a row's are the same to 1e-12 whatever stands beside it.

    Args:
        config: of the student.
        classes: how many.
        parameters: with a leading axis of seeds.
        features: (rows, dimensions).
    """
    score = _compile_scoring(replace(name_program(config), grid={}, precision="float64"), classes)
    exact = jax.tree.map(lambda array: array.astype(np.float64), parameters)
    weight = exact.encoding.weight
    wide = np.pad(weight, ((0, 0), (0, -weight.shape[1] % DIMENSIONS), (0, 0)))
    exact, filled = exact._replace(encoding=Affine(wide, exact.encoding.bias)), _fill(features)
    parts = [score(exact, filled[start : start + ROWS]) for start in range(0, len(filled), ROWS)]
    return np.concatenate(parts, axis=1)


@lru_cache(KEPT)
def _compile_training(config: StudentConfig, steps: int, classes: int) -> Programs:
    model = build_model(config, DIMENSIONS, classes)
    return compile_programs(model, config, steps, config.batch_size, config.seeds, least=ROWS)


@lru_cache(KEPT)
def _compile_scoring(config: StudentConfig, classes: int) -> Score:
    return build_scorer(build_model(config, DIMENSIONS, classes), config.precision, least=ROWS)


def _fill(features: Any) -> Any:
    return np.pad(features, ((0, 0), (0, -features.shape[1] % DIMENSIONS)))


def _widen(model: Model, dimensions: int) -> Model:
    """`model` with the same initial values, behind whose weights of features stand zeros for those of `_fill`."""

    def initialise(generator: np.random.Generator) -> Parameters:
        drawn = model.initialise(generator)
        weight = np.pad(drawn.encoding.weight, ((0, -dimensions % DIMENSIONS), (0, 0)))
        return drawn._replace(encoding=Affine(weight, drawn.encoding.bias))

    return model._replace(initialise=initialise)


def _cut(parameters: Parameters, dimensions: int) -> Parameters:
    weight = parameters.encoding.weight[:, :dimensions]
    return parameters._replace(encoding=Affine(weight, parameters.encoding.bias))
