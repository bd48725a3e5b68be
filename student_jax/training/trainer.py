"""Training: many students in one program, a whole epoch in one compiled call, the best epoch of each student kept.

In: Models, the dataset, StudentConfigs.
Out: Training, Divergence, EpochResult, train(), train_all(), train_together(), name_program().
Imports: jax, optax, tqdm.
"""

import logging
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float, Int
from tqdm import tqdm

from student_jax.config import StudentConfig
from student_jax.data.dataset import Split
from student_jax.data.windows import Windows
from student_jax.devices import ROWS, STUDENTS, map_students, share_training
from student_jax.model import Model, Score, build_scorer, convert_floats, name_arrays
from student_jax.training.losses import LossNumbers, distillation_loss
from student_jax.training.optimizer import Numbers, build_optimizer, gather_numbers
from teacher_cache.errors import UserError

LOG = logging.getLogger(__name__)


class EpochResult(NamedTuple):
    """What one seed reached after one epoch, epochs counted from 1; losses are means per row, in nats."""

    seed: int
    epoch: int
    train_loss: float
    validation_loss: float
    validation_accuracy: float


class Training(NamedTuple):
    """All seeds' students.

    `parameters` has a leading axis of seeds; each seed's are those of its best epoch, the one with the smallest
    validation loss. `selected` is the index of the best seed by the same measure. `seconds_per_epoch` is for all that
    was trained together, the median over the epochs after the first, which compiles. `score` is `build_scorer`'s, as
    the validation has compiled it.
    """

    parameters: Any
    seeds: list[int]
    best_epochs: list[int]
    selected: int
    curves: list[EpochResult]
    seconds_per_epoch: float
    score: Score


class Divergence(NamedTuple):
    """What is left of a training one of whose seeds got a loss that is not finite."""

    epoch: int
    loss: float


# (epoch, what every student reached, seconds that all of them took)
Report: TypeAlias = Callable[[int, Sequence[EpochResult], float], None]


def train(model: Model, dataset: Mapping[str, Split], config: StudentConfig, seed: int, name: str) -> Training:
    """Train `config.seeds` students side by side on split `train`; epochs and seed are chosen on `validation`.

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
    (training,) = train_all([model], dataset, [config], seed, name)
    return training


def train_all(
    models: Sequence[Model], dataset: Mapping[str, Split], configs: Sequence[StudentConfig], seed: int, name: str
) -> list[Training]:
    """Train several settings of one program as `train` does one; what is shown are means over all of them.

    Raises:
        UserError: a validation loss is not finite.
    """
    finished: list[Training] = []
    with tqdm(total=configs[0].epochs, desc=name, unit="epoch", disable=not sys.stderr.isatty()) as bar:
        for training in train_together(models, dataset, configs, seed, partial(_report, bar, name)):
            if isinstance(training, Divergence):
                raise UserError(
                    f"{name}: validation loss must be finite, got {training.loss} in epoch {training.epoch}; "
                    "lower learning_rate"
                )
            finished.append(training)
    return finished


def name_program(config: StudentConfig) -> StudentConfig:
    """What settings must have in common to be trained together: `config` without the numbers that may differ.

    These are what a compiled program takes as arguments, what initial values alone depend on, and the patience.
    """
    return StudentConfig(
        circuit=config.circuit,
        engine=config.engine,
        precision=config.precision,
        schedule=config.schedule,
        clip_norm=None if config.clip_norm is None else 1.0,
        batch_size=config.batch_size,
        epochs=config.epochs,
        seeds=config.seeds,
    )


def train_together(
    models: Sequence[Model], dataset: Mapping[str, Split], configs: Sequence[StudentConfig], seed: int, report: Report
) -> list[Training | Divergence]:
    """Train every seed of several settings in one program, each as `train` trains it; one that diverges stops no other.

    Args:
        models: one for each setting, which may differ in their initial values alone.
        dataset: splits by name.
        configs: the settings, of one `name_program`.
        seed: of the first student of each setting.
        report: called after every epoch.

    Returns:
        What became of each setting, in order.

    Raises:
        ValueError: the settings need different programs.
    """
    if len({name_program(config) for config in configs}) != 1:
        raise ValueError("settings that are trained together must have one program, got several")
    with jax.enable_x64(configs[0].precision == "float64"):
        return _train(models, dataset, configs, seed, report)


def _train(
    models: Sequence[Model], dataset: Mapping[str, Split], configs: Sequence[StudentConfig], seed: int, report: Report
) -> list[Training | Divergence]:
    model, config, rows = models[0], configs[0], len(dataset["train"].labels)
    students = [(setting, seed + k) for setting in range(len(configs)) for k in range(config.seeds)]
    batch = min(config.batch_size, rows)
    mesh = share_training(len(students), batch)
    # Every device takes as many as any other; what comes after the last student is trained for nothing.
    filled = students + students[-1:] * (-len(students) % mesh.shape[STUDENTS])
    numbers = _stack([gather_numbers(configs[setting]) for setting, _ in filled])
    parameters = _stack([models[setting].initialise(np.random.default_rng(number)) for setting, number in filled])
    run_epoch, score = _compile_epoch(model, config, rows // batch, mesh), build_scorer(model, config)
    validate = _compile_validation(score)
    rates = jax.device_put(_arrange_rates(model, config.precision), NamedSharding(mesh, P()))
    windows = Windows(dataset["train"], batch, partial(_load, config.precision, mesh))
    # The memory's shape is the same for all numbers.
    memory = jax.jit(jax.vmap(build_optimizer(config, numbers, rates, rows // batch).init))(parameters)
    state, on_devices = jax.device_put(((parameters, memory), numbers), NamedSharding(mesh, P(STUDENTS)))
    of_students = _take(numbers.loss, len(students))
    patience = np.repeat([config.epochs if one.patience is None else one.patience for one in configs], config.seeds)
    best = _Best(_take(parameters, len(students)), patience)
    curves: list[list[EpochResult]] = []
    seconds: list[float] = []
    for epoch in range(1, config.epochs + 1):
        start = time.perf_counter()
        shufflers = {number: np.random.default_rng([number, epoch]) for _, number in students}
        total, steps = np.zeros(len(filled)), 0
        for window in windows.iterate(epoch):
            orders = {number: _shuffle(shuffler, len(window.labels), batch) for number, shuffler in shufflers.items()}
            order = np.stack([orders[number] for _, number in filled])
            state, losses = jax.block_until_ready(run_epoch(state, rates, on_devices, order, window))
            total, steps = total + order.shape[1] * np.asarray(losses), steps + order.shape[1]
        seconds.append(time.perf_counter() - start)
        parameters = _take(state[0], len(students))
        measures = ((total / steps).tolist(), *validate(parameters, of_students, dataset["validation"]))
        results = [EpochResult(number, epoch, *row) for (_, number), *row in zip(students, *measures, strict=False)]
        curves.append(results)
        report(epoch, results, seconds[-1])
        if not best.update(results, parameters):
            break
    typical = float(np.median(seconds[1:] or seconds))
    cuts = [slice(first, first + config.seeds) for first in range(0, len(students), config.seeds)]
    return [_conclude(best, curves, cut, typical, score) for cut in cuts]


def _conclude(
    best: "_Best", curves: Sequence[Sequence[EpochResult]], cut: slice, seconds: float, score: Score
) -> Training | Divergence:
    """What became of the setting whose students are at `cut`; the epochs after the last that any of them took go."""
    own = [result for results in curves[: int(best.last[cut].max())] for result in results[cut]]
    for result, last in zip(own, np.tile(best.last[cut], len(curves)), strict=False):
        if result.epoch <= last and not np.isfinite(result.validation_loss):
            return Divergence(result.epoch, result.validation_loss)
    parameters, chosen = jax.tree.map(lambda array: array[cut], best.parameters), int(best.losses[cut].argmin())
    seeds = [result.seed for result in curves[0][cut]]
    return Training(parameters, seeds, best.epochs[cut].tolist(), chosen, own, seconds, score)


def _stack(trees: Sequence[Any]) -> Any:
    return jax.tree.map(lambda *arrays: np.stack(arrays), *trees)


def _take(tree: Any, count: int) -> Any:
    """The first `count` of every array's leading axis, in NumPy."""
    return jax.tree.map(lambda array: np.asarray(array)[:count], tree)


class _Best:
    """Each student's best epoch so far: parameters, validation loss and number; and the last epoch that it took."""

    def __init__(self, parameters: Any, patience: Int[np.ndarray, " students"]) -> None:
        self.parameters, self.patience = parameters, patience
        self.losses, self.epochs = np.full(len(patience), np.inf), np.zeros(len(patience), int)
        self.last, self.patient = np.zeros(len(patience), int), np.full(len(patience), True)

    def update(self, results: Sequence[EpochResult], parameters: Any) -> bool:
        """Take over the students that became better; False when no student has patience left.

        One without patience, or whose loss is not finite, stays as it is while others go on: no student's result
        depends on its company.
        """
        epoch, losses = results[0].epoch, np.array([result.validation_loss for result in results])
        better = (losses < self.losses) & self.patient
        self.losses, self.epochs = np.where(better, losses, self.losses), np.where(better, epoch, self.epochs)
        self.last[self.patient] = epoch
        self.parameters = jax.tree.map(
            lambda old, new: np.where(better.reshape(-1, *[1] * (old.ndim - 1)), new, old), self.parameters, parameters
        )
        self.patient &= np.isfinite(losses) & (epoch - self.epochs < self.patience)
        return bool(self.patient.any())


def _report(bar: tqdm, name: str, epoch: int, results: Sequence[EpochResult], seconds: float) -> None:
    """Show the seeds' means behind the bar, or in a log line where there is no terminal."""
    loss = float(np.mean([result.validation_loss for result in results]))
    accuracy = float(np.mean([result.validation_accuracy for result in results]))
    bar.update()
    if bar.disable:
        text = "%s: epoch %d of %d: validation loss %.4f, accuracy %.4f, %.2f s"
        LOG.info(text, name, epoch, bar.total, loss, accuracy, seconds)
    else:
        bar.set_postfix(loss=f"{loss:.4f}", accuracy=f"{accuracy:.4f}")


def _compile_epoch(
    model: Model, config: StudentConfig, steps: int, mesh: Mesh
) -> Callable[..., tuple[Any, Float[Array, " students"]]]:
    """An epoch of all students. Devices that share a batch make the same step with the mean of their gradients.

    The rates are an argument, so that a student and its frozen control are one program, compiled once.
    """

    def sum_squares(parameters: Any) -> Float[Array, ""] | float:
        arrays = name_arrays(parameters)
        return sum((jnp.vdot(arrays[name], arrays[name]) for name in model.penalised), 0.0)

    def run_step(state: tuple[Any, Any], rates: Any, numbers: Numbers, batch: Split) -> tuple[tuple[Any, Any], Array]:
        parameters, memory = state

        def compute_loss(parameters: Any) -> tuple[Float[Array, ""], Float[Array, ""]]:
            if model.loss is not None:
                loss = model.loss(parameters, batch)
            else:
                scores = model.apply(parameters, batch.features)
                loss = distillation_loss(scores, batch.logits, batch.labels, numbers.loss)
            return loss + numbers.l2 / 2 * sum_squares(parameters), loss

        gradient, loss = jax.lax.pmean(jax.grad(compute_loss, has_aux=True)(parameters), ROWS)
        updates, memory = build_optimizer(config, numbers, rates, steps).update(gradient, memory, parameters)
        return (optax.apply_updates(parameters, updates), memory), loss

    def run_epoch(
        state: Any, rates: Any, numbers: Numbers, order: Int[Array, "students steps batch"], train: Split
    ) -> tuple[Any, Float[Array, " students"]]:
        def run_one(student: tuple[Any, Numbers, Int[Array, "steps batch"]]) -> tuple[Any, Float[Array, ""]]:
            state, numbers, order = student

            def step(state: Any, rows: Int[Array, " batch"]) -> tuple[Any, Array]:
                return run_step(state, rates, numbers, jax.tree.map(lambda array: array[rows], train))

            state, losses = jax.lax.scan(step, state, order)
            return state, losses.mean()

        return map_students(run_one, (state, numbers, order), order.shape[-1] << config.circuit.qubits)

    run_epochs = jax.shard_map(
        run_epoch,
        mesh=mesh,
        in_specs=(P(STUDENTS), P(), P(STUDENTS), P(STUDENTS, None, ROWS), P()),
        out_specs=P(STUDENTS),
        check_vma=False,
    )
    return jax.jit(run_epochs, donate_argnums=0)


def _compile_validation(score: Score) -> Callable[[Any, LossNumbers, Split], tuple[list[float], list[float]]]:
    """(parameters and loss of all students, split) -> loss and accuracy of each student."""
    compute_losses = jax.jit(jax.vmap(distillation_loss, in_axes=(0, None, None, 0)))

    def validate(parameters: Any, loss: LossNumbers, split: Split) -> tuple[list[float], list[float]]:
        scores = score(parameters, split.features)
        losses = compute_losses(scores, split.logits.astype(scores.dtype), split.labels, loss)
        return losses.tolist(), np.mean(scores.argmax(axis=-1) == split.labels, axis=-1).tolist()

    return validate


def _shuffle(generator: np.random.Generator, rows: int, batch: int) -> Int[np.ndarray, "steps batch"]:
    """A random order of the rows, cut into whole batches."""
    order = generator.permutation(rows).astype(np.int32)
    return order[: rows // batch * batch].reshape(-1, batch)


def _arrange_rates(model: Model, precision: str) -> Any:
    """`model.rates` as a pytree like the parameters."""
    parameters = model.initialise(np.random.default_rng(0))
    factors = [np.asarray(model.rates.get(name, 1.0), precision) for name in name_arrays(parameters)]
    return jax.tree.unflatten(jax.tree.structure(parameters), factors)


def _load(precision: str, mesh: Mesh, split: Split) -> Split:
    """All rows of a split in memory on every device."""
    converted = jax.tree.map(lambda array: convert_floats(array, precision), split._replace(ids=None))
    return jax.device_put(converted, NamedSharding(mesh, P()))
