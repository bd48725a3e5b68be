"""Training: many students in one program, a whole epoch in one compiled call, the best epoch of each student kept.

In: Models, the dataset, TrainingConfigs.
Out: Report, train(), train_together(), count_epochs(), name_program(), show_epoch().
Imports: jax, tqdm.
"""

import logging
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from functools import partial
from typing import Any, NamedTuple, TypeAlias, TypeVar

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from jaxtyping import Float, Int
from tqdm import tqdm

from student_jax.config import TrainingConfig
from student_jax.data.dataset import Split
from student_jax.data.training_rows import count_rows, join_pool
from student_jax.data.windows import Windows
from student_jax.devices import STUDENTS
from student_jax.model import Model, convert_floats
from student_jax.training.best_epochs import BestEpochs, Divergence, Training, conclude
from student_jax.training.curves import EpochResult
from student_jax.training.epoch import Epoch, State, arrange_rates, fill_steps, shuffle_rows
from student_jax.training.optimizer import Numbers, gather_numbers
from student_jax.training.programs import Programs, compile_programs
from teacher_cache.errors import UserError

LOG = logging.getLogger(__name__)

C = TypeVar("C", bound=TrainingConfig)


class Student(NamedTuple):
    """One seed of one setting; `number` is what its random draws start from."""

    setting: int
    number: int


# (epoch, what every student reached, seconds that all of them took)
Report: TypeAlias = Callable[[int, Sequence[EpochResult], float], None]
# (generator, rows of a window) -> which of them each step takes
Shuffle: TypeAlias = Callable[[np.random.Generator, int], Int[np.ndarray, "steps batch"]]


def train(model: Model, dataset: Mapping[str, Split], config: TrainingConfig, seed: int, name: str) -> Training:
    """Train `config.seeds` students side by side on splits `train` and `pool`; `validation` chooses epochs and seed.

    An epoch takes every row once, in an order of its own; the rows that do not fill a last batch are left out of it.
    Features that stay in their file are mixed inside of a window of rows, and windows differ from epoch to epoch.

    Args:
        model: what to train.
        dataset: splits by name.
        config: optimizer, batch size, epochs, patience, loss.
        seed: of the first student; the k-th has seed + k. It fixes its initial values and the order of its rows.
        name: prefix of progress bar and log lines.

    Raises:
        UserError: a validation loss is not finite.
    """
    epochs = count_epochs(config, dataset)
    with tqdm(total=epochs, desc=name, unit="epoch", disable=not sys.stderr.isatty()) as bar:
        report = partial(show_epoch, bar, name, epochs)
        (training,) = train_together([model], dataset, [config], seed, report)
    if isinstance(training, Divergence):
        raise UserError(
            f"{name}: validation loss must be finite, got {training.loss} in epoch {training.epoch}; "
            "lower learning_rate"
        )
    return training


def count_epochs(config: TrainingConfig, dataset: Mapping[str, Split]) -> int:
    """`config.epochs`, or as many as `config.min_steps` steps take where these are more."""
    rows = count_rows(dataset, config.pool)
    return max(config.epochs, -(-config.min_steps // (rows // min(config.batch_size, rows))))


def name_program(config: C) -> C:
    """What settings must have in common to be trained together: `config` without the numbers that may differ.

    These are what a compiled program takes as arguments, what initial values alone depend on, and the patience.
    """
    free = {"loss", "learning_rate", "l2", "weight_decay", "patience", "encoding_scale", "angle_scale"}
    plain = type(config)()
    numbers = {field.name: getattr(plain, field.name) for field in fields(config) if field.name in free}
    return replace(config, **numbers, clip_norm=None if config.clip_norm is None else 1.0)


def train_together(
    models: Sequence[Model],
    dataset: Mapping[str, Split],
    configs: Sequence[TrainingConfig],
    seed: int,
    report: Report,
    programs: Programs | None = None,
) -> list[Training | Divergence]:
    """Train every seed of several settings in one program, each as `train` trains it; one that diverges stops no other.

    With `programs` an epoch is as many steps as they have, whatever the number of rows, and no row has a turn again
    before each has had one.

    Args:
        models: one for each setting, which may differ in their initial values alone.
        dataset: splits by name.
        configs: the settings, of one `name_program`.
        seed: of the first student of each setting.
        report: called after every epoch.
        programs: what an earlier training of this model, settings and number of students has compiled, for features in
            memory; None compiles them for the rows there are.

    Returns:
        What became of each setting, in order.

    Raises:
        ValueError: the settings need different programs.
    """
    if len({name_program(config) for config in configs}) != 1:
        raise ValueError("settings that are trained together must have one program, got several")
    with jax.enable_x64(configs[0].precision == "float64"):
        return _train(models, dataset, configs, seed, report, programs)


def _train(
    models: Sequence[Model],
    dataset: Mapping[str, Split],
    configs: Sequence[TrainingConfig],
    seed: int,
    report: Report,
    programs: Programs | None,
) -> list[Training | Divergence]:
    model, config = models[0], configs[0]
    train = join_pool(dataset, config.pool)
    rows = len(train.labels)
    students = [Student(setting, seed + k) for setting in range(len(configs)) for k in range(config.seeds)]
    shuffle: Shuffle
    if programs is None:
        batch, counted = min(config.batch_size, rows), replace(config, epochs=count_epochs(config, dataset))
        programs = compile_programs(model, counted, rows // batch, batch, len(students))
        held, shuffle = 0, partial(shuffle_rows, batch=batch)
    else:
        steps, batch = programs.steps, programs.batch
        held, shuffle = 1 << (max(steps * batch, rows) - 1).bit_length(), _repeat(rows, steps, batch)
    mesh = programs.mesh
    # Every device takes as many as any other; what comes after the last student is trained for nothing.
    fillers = students[-1:] * (-len(students) % mesh.shape[STUDENTS])
    numbers = _stack([gather_numbers(configs[student.setting]) for student in students + fillers])
    parameters = _stack([_draw(models[student.setting], student) for student in students + fillers])
    initial = _take(parameters, len(students))

    windows = Windows(train, programs.batch, partial(_load, config.precision, mesh, held))
    rates = jax.device_put(arrange_rates(model, config.precision), NamedSharding(mesh, P()))
    states = programs.start(parameters, numbers, rates)
    # Off the processor's memory, where an epoch finds them and leaves them.
    states, on_devices = jax.device_put((states, numbers), NamedSharding(mesh, P(STUDENTS)))

    patience = [programs.epochs if one.patience is None else one.patience for one in configs]
    best = BestEpochs(initial, np.repeat(patience, config.seeds))
    curves: list[list[EpochResult]] = []
    seconds: list[float] = []
    for epoch in range(1, programs.epochs + 1):
        start = time.perf_counter()
        states, losses = _run_windows(
            programs.run_epoch, states, (rates, on_devices), windows, epoch, students + fillers, shuffle
        )
        seconds.append(time.perf_counter() - start)
        parameters = _take(states[0], len(students))
        measured = programs.validate(parameters, _take(numbers.loss, len(students)), dataset["validation"])
        results = [
            EpochResult(student.number, epoch, *measures)
            for student, *measures in zip(students, losses.tolist(), *measured, strict=False)
        ]
        curves.append(results)
        report(epoch, results, seconds[-1])
        if not best.update(results, parameters):
            break
    typical = float(np.median(seconds[1:] or seconds))
    settings = [slice(first, first + config.seeds) for first in range(0, len(students), config.seeds)]
    return [conclude(best, curves, students, typical, programs.score) for students in settings]


def _draw(model: Model, student: Student) -> Any:
    """A student's initial parameters."""
    return model.initialise(np.random.default_rng(student.number))


def _repeat(rows: int, steps: int, batch: int) -> Shuffle:
    return lambda generator, window: fill_steps(generator, rows, steps, batch)


def _run_windows(
    run_epoch: Epoch,
    states: State,
    arguments: tuple[Any, Numbers],
    windows: Windows,
    epoch: int,
    students: Sequence[Student],
    shuffle: Shuffle,
) -> tuple[State, Float[np.ndarray, " students"]]:
    """One epoch over all windows; the states behind it, and each student's mean loss over the steps."""
    # A seed mixes its rows in one way, whatever its setting.
    shufflers = {student.number: np.random.default_rng([student.number, epoch]) for student in students}
    total, steps = np.zeros(len(students)), 0
    for window in windows.iterate(epoch):
        orders = {number: shuffle(shuffler, len(window.labels)) for number, shuffler in shufflers.items()}
        order = np.stack([orders[student.number] for student in students])
        states, losses = jax.block_until_ready(run_epoch(states, *arguments, order, window))
        total += order.shape[1] * np.asarray(losses)
        steps += order.shape[1]
    return states, total / steps


def _stack(trees: Sequence[Any]) -> Any:
    return jax.tree.map(lambda *arrays: np.stack(arrays), *trees)


def _take(tree: Any, count: int) -> Any:
    """The first `count` of every array's leading axis, in NumPy."""
    return jax.tree.map(lambda array: np.asarray(array)[:count], tree)


def _load(precision: str, mesh: Mesh, held: int, split: Split) -> Split:
    """All rows of a split in memory on every device, behind them empty ones where there are fewer than `held`."""

    def convert(array: np.ndarray) -> np.ndarray:
        fill = max(0, held - len(array))
        return convert_floats(np.pad(array, [(0, fill)] + [(0, 0)] * (array.ndim - 1)) if fill else array, precision)

    return jax.device_put(jax.tree.map(convert, split._replace(ids=None)), NamedSharding(mesh, P()))


def show_epoch(bar: tqdm, name: str, epochs: int, epoch: int, results: Sequence[EpochResult], seconds: float) -> None:
    """Show the students' means behind the bar, or in a log line where there is no terminal."""
    loss = float(np.mean([result.validation_loss for result in results]))
    accuracy = float(np.mean([result.validation_accuracy for result in results]))
    bar.update()
    if bar.disable:
        text = "%s: epoch %d of %d: validation loss %.4f, accuracy %.4f, %.2f s"
        LOG.info(text, name, epoch, epochs, loss, accuracy, seconds)
    else:
        bar.set_postfix(loss=f"{loss:.4f}", accuracy=f"{accuracy:.4f}")
