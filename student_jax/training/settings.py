"""Many settings of the student on one loaded dataset; those that need the same program are trained together.

In: StudentConfigs, the dataset of a task and teacher.  Out: Outcome, train_settings().  Imports: jax, numpy, tqdm.
"""

import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import jax
import numpy as np
from tqdm import tqdm

from student_jax.config import StudentConfig, TrainingConfig
from student_jax.data.dataset import Split
from student_jax.engines import build_engine
from student_jax.model import assemble_model, count_trainable
from student_jax.training.best_epochs import Divergence, EpochResult, Training
from student_jax.training.trainer import name_program, train_together
from teacher_cache.errors import UserError

LOG = logging.getLogger(__name__)

# Students in one program, which bounds what their parameters, moments and orders of rows take: about 0.1 MiB each.
MAX_STUDENTS = 256


class Outcome(NamedTuple):
    """What the seeds of one setting reached, each in its best epoch; without seeds, `problem` says why."""

    validation_loss: list[float]
    validation_accuracy: list[float]
    test_accuracy: list[float]
    parameters: int | None
    problem: str = ""


def train_settings(
    configs: Sequence[StudentConfig], dataset: Mapping[str, Split], seed: int, name: str
) -> list[Outcome]:
    """Train every seed of every setting as `train` does; a setting that fails stops no other.

    Args:
        configs: the settings.
        dataset: splits by name.
        seed: of the first student of each setting.
        name: prefix of progress bar and log lines.

    Returns:
        An Outcome for each setting, in order.
    """
    groups: dict[TrainingConfig, list[int]] = {}
    for index, config in enumerate(configs):
        groups.setdefault(name_program(config), []).append(index)
    outcomes: dict[int, Outcome] = {}
    total = sum(config.seeds * config.epochs for config in configs)
    with tqdm(total=total, desc=name, unit="epoch", disable=not sys.stderr.isatty()) as bar:
        for members in groups.values():
            for chosen in cut(members, MAX_STUDENTS // configs[members[0]].seeds):
                found = _train_chunk([configs[index] for index in chosen], dataset, seed, bar)
                outcomes.update(zip(chosen, found, strict=True))
                if bar.disable:
                    LOG.info("%s: %d of %d settings done", name, len(outcomes), len(configs))
    return [outcomes[index] for index in range(len(configs))]


def cut(members: Sequence[int], most: int) -> Iterator[list[int]]:
    """`members` in equal parts of at most `most`, one at least, so that they share a program; the last may repeat."""
    parts = -(-len(members) // max(1, most))
    size = -(-len(members) // parts)
    for first in range(0, len(members), size):
        part = list(members[first : first + size])
        yield part + part[-1:] * (size - len(part))


def _train_chunk(configs: Sequence[StudentConfig], dataset: Mapping[str, Split], seed: int, bar: tqdm) -> list[Outcome]:
    """Train settings of one program together."""
    dimensions, classes = dataset["train"].features.shape[1], dataset["train"].logits.shape[1]
    shown = bar.n

    def advance(epoch: int, results: Sequence[EpochResult], seconds: float) -> None:
        bar.update(len(results))

    try:
        with jax.enable_x64(configs[0].precision == "float64"):
            engine = build_engine(configs[0].engine, configs[0].circuit, classes, configs[0].precision)
    except UserError as error:
        return [Outcome([], [], [], None, str(error))] * len(configs)
    models = [assemble_model(engine, config, dimensions, classes) for config in configs]
    trained = train_together(models, dataset, configs, seed, advance)
    bar.update(shown + sum(config.seeds * config.epochs for config in configs) - bar.n)  # epochs that patience saved
    test, parameters = dataset["test"], count_trainable(models[0])

    def judge(training: Training | Divergence) -> Outcome:
        if isinstance(training, Divergence):
            return Outcome([], [], [], parameters, f"validation loss {training.loss} in epoch {training.epoch}")
        best = training.best_results()
        hits = training.score(training.parameters, test.features).argmax(axis=-1) == test.labels
        losses, accuracies = [row.validation_loss for row in best], [row.validation_accuracy for row in best]
        return Outcome(losses, accuracies, np.mean(hits, axis=-1).tolist(), parameters)

    return [judge(training) for training in trained]
