"""Many settings on one loaded dataset; those that need the same program are trained together.

In: configs, what builds a model of one, the dataset of a task and teacher.  Out: Failure, train_settings().
Imports: jax, tqdm.
"""

import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

from jax.errors import JaxRuntimeError
from tqdm import tqdm

from student_jax.config import TrainingConfig
from student_jax.data.dataset import Split
from student_jax.model import Model
from student_jax.training.best_epochs import Divergence, Training
from student_jax.training.trainer import count_epochs, name_program, show_epoch, train_together
from teacher_cache.errors import UserError

LOG = logging.getLogger(__name__)

# Students in one program, which bounds what their parameters, moments and orders of rows take: about 0.1 MiB each.
MAX_STUDENTS = 256
# What XLA's errors begin with where an allocation fails.
OUT_OF_MEMORY = "RESOURCE_EXHAUSTED"

C = TypeVar("C", bound=TrainingConfig)


class Failure(NamedTuple):
    """Why a setting has no Training."""

    problem: str


def train_settings(
    configs: Sequence[C],
    build: Callable[[C], Model],
    dataset: Mapping[str, Split],
    seed: int,
    name: str,
    done: Callable[[int, Training | Failure], None] = lambda index, found: None,
) -> list[Training | Failure]:
    """Train every seed of every setting as `train` does; a setting that fails stops no other.

    Args:
        configs: the settings.
        build: the model of a setting; models of one program may differ in their initial values alone.
        dataset: splits by name.
        seed: of the first student of each setting.
        name: prefix of progress bar and log lines.
        done: told what became of each setting, by its place, as soon as those that train with it are done.

    Returns:
        What became of each setting, in order.
    """
    groups: dict[TrainingConfig, list[int]] = {}
    for index, config in enumerate(configs):
        groups.setdefault(name_program(config), []).append(index)
    chunks = [chunk for members in groups.values() for chunk in cut(members, MAX_STUDENTS // configs[members[0]].seeds)]
    finished: dict[int, Training | Failure] = {}
    epochs = sum(count_epochs(configs[chunk[0]], dataset) for chunk in chunks)
    with tqdm(total=epochs, desc=name, unit="epoch", disable=not sys.stderr.isatty()) as bar:
        for chunk in chunks:
            found = _train_chunk([configs[index] for index in chunk], build, dataset, seed, name, bar)
            finished.update(zip(chunk, found, strict=True))
            for index in dict.fromkeys(chunk):
                done(index, finished[index])
            if bar.disable and len(configs) > 1:
                LOG.info("%s: %d of %d settings done", name, len(finished), len(configs))
    return [finished[index] for index in range(len(configs))]


def cut(members: Sequence[int], most: int) -> Iterator[list[int]]:
    """`members` in equal parts of at most `most`, one at least, so that they share a program; the last may repeat."""
    parts = -(-len(members) // max(1, most))
    size = -(-len(members) // parts)
    for first in range(0, len(members), size):
        part = list(members[first : first + size])
        yield part + part[-1:] * (size - len(part))


def _train_chunk(
    configs: Sequence[C],
    build: Callable[[C], Model],
    dataset: Mapping[str, Split],
    seed: int,
    name: str,
    bar: tqdm,
) -> list[Training | Failure]:
    """Train settings of one program together; where memory lacks, half of them after the other."""
    epochs, shown = count_epochs(configs[0], dataset), bar.n
    try:
        models = [build(config) for config in configs]
        trained = train_together(models, dataset, configs, seed, partial(show_epoch, bar, name, epochs))
    except UserError as error:
        return [Failure(str(error))] * len(configs)
    except (MemoryError, JaxRuntimeError) as error:
        if isinstance(error, JaxRuntimeError) and OUT_OF_MEMORY not in str(error):
            raise
        if len(configs) == 1:
            return [Failure("there must be memory for a setting, and was not; lower qubits, batch_size or seeds")]
        half = len(configs) // 2
        halves = (configs[:half], configs[half:])
        return [found for part in halves for found in _train_chunk(part, build, dataset, seed, name, bar)]
    bar.update(shown + epochs - bar.n)  # those that patience saved
    return [_name_problem(training) if isinstance(training, Divergence) else training for training in trained]


def _name_problem(found: Divergence) -> Failure:
    return Failure(f"validation loss must be finite, got {found.loss} in epoch {found.epoch}; lower learning_rate")
