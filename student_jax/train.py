"""Training: every seed at once, a whole epoch in one compiled call, the best epoch of each seed kept.

In: a Model, the dataset, StudentConfig.  Out: Training, EpochResult, train(), build_optimizer().
Imports: jax, optax, tqdm.
"""

import logging
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float, Int
from tqdm import tqdm

from student_jax.config import StudentConfig
from student_jax.dataset import Split
from student_jax.devices import ROWS, SEEDS, share_training
from student_jax.losses import distillation_loss
from student_jax.model import Model, build_scorer, convert_floats, name_arrays
from student_jax.windows import Windows
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
    validation loss. `selected` is the index of the best seed by the same measure. `seconds_per_epoch` is for all seeds
    together, the median over the epochs after the first, which compiles.
    """

    parameters: Any
    seeds: list[int]
    best_epochs: list[int]
    selected: int
    curves: list[EpochResult]
    seconds_per_epoch: float


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
    with jax.enable_x64(config.precision == "float64"):
        return _train(model, dataset, config, seed, name)


def _train(model: Model, dataset: Mapping[str, Split], config: StudentConfig, seed: int, name: str) -> Training:
    rows, seeds = len(dataset["train"].labels), config.seeds
    batch = min(config.batch_size, rows)
    mesh = share_training(seeds, batch)
    optimizer = build_optimizer(config, rows // batch)
    run_epoch, validate = _compile_epoch(model, config, optimizer, mesh), _compile_validation(model, config)
    rates = jax.device_put(_arrange_rates(model, config.precision), NamedSharding(mesh, P()))
    windows = Windows(dataset["train"], batch, partial(_load, config.precision, mesh))
    # Every device takes as many seeds as any other; what comes after the last seed asked for is trained for nothing.
    drawn = range(seed, seed + -(-seeds // mesh.shape[SEEDS]) * mesh.shape[SEEDS])
    draws = [model.initialise(np.random.default_rng(number)) for number in drawn]
    parameters = jax.tree.map(lambda *arrays: np.stack(arrays), *draws)
    state = (parameters, jax.jit(jax.vmap(optimizer.init))(parameters))
    state = jax.device_put(state, NamedSharding(mesh, P(SEEDS)))
    best = _Best(_take(parameters, seeds), seeds, config.patience)
    curves: list[EpochResult] = []
    seconds: list[float] = []
    bar = tqdm(range(1, config.epochs + 1), desc=name, unit="epoch", disable=not sys.stderr.isatty())
    for epoch in bar:
        start = time.perf_counter()
        shufflers = [np.random.default_rng([number, epoch]) for number in drawn]
        total, steps = np.zeros(len(drawn)), 0
        for window in windows.iterate(epoch):
            order = np.stack([_shuffle(shuffler, len(window.labels), batch) for shuffler in shufflers])
            state, losses = jax.block_until_ready(run_epoch(state, rates, order, window))
            total, steps = total + order.shape[1] * np.asarray(losses), steps + order.shape[1]
        seconds.append(time.perf_counter() - start)
        parameters = _take(state[0], seeds)
        measures = zip(drawn, (total / steps).tolist(), *validate(parameters, dataset["validation"]), strict=False)
        results = [EpochResult(number, epoch, *row) for number, *row in measures]
        curves += results
        _report(bar, name, results, seconds[-1])
        if not best.update(results, parameters):
            break
    typical = float(np.median(seconds[1:] or seconds))
    chosen = int(best.losses.argmin())
    return Training(best.parameters, list(drawn[:seeds]), best.epochs.tolist(), chosen, curves, typical)


def _take(tree: Any, seeds: int) -> Any:
    """The first `seeds` of every array's leading axis, in NumPy."""
    return jax.tree.map(lambda array: np.asarray(array)[:seeds], tree)


class _Best:
    """The parameters of each seed's best epoch so far, its validation loss and its number."""

    def __init__(self, parameters: Any, seeds: int, patience: int | None) -> None:
        self.parameters, self.patience = parameters, patience
        self.losses, self.epochs = np.full(seeds, np.inf), np.zeros(seeds, int)

    def update(self, results: Sequence[EpochResult], parameters: Any) -> bool:
        """Take over the seeds that became better; False when no seed has patience left.

        A seed without patience stays as it is while others go on: no seed's result depends on its company.
        """
        epoch, losses = results[0].epoch, np.array([result.validation_loss for result in results])
        better = (losses < self.losses) & self._find_patient(epoch - 1)
        self.losses, self.epochs = np.where(better, losses, self.losses), np.where(better, epoch, self.epochs)
        self.parameters = jax.tree.map(
            lambda old, new: np.where(better.reshape(-1, *[1] * (old.ndim - 1)), new, old), self.parameters, parameters
        )
        return bool(self._find_patient(epoch).any())

    def _find_patient(self, epoch: int) -> np.ndarray:
        return np.full(len(self.epochs), True) if self.patience is None else epoch - self.epochs < self.patience


def _report(bar: tqdm, name: str, results: Sequence[EpochResult], seconds: float) -> None:
    """Show the seeds' means behind the bar, or in a log line where there is no terminal.

    Raises:
        UserError: a loss is not finite.
    """
    loss = float(np.mean([result.validation_loss for result in results]))
    accuracy = float(np.mean([result.validation_accuracy for result in results]))
    epoch = results[0].epoch
    if not np.isfinite(loss):
        raise UserError(f"{name}: validation loss must be finite, got {loss} in epoch {epoch}; lower learning_rate")
    if bar.disable:
        text = "%s: epoch %d of %d: validation loss %.4f, accuracy %.4f, %.2f s"
        LOG.info(text, name, epoch, bar.total, loss, accuracy, seconds)
    else:
        bar.set_postfix(loss=f"{loss:.4f}", accuracy=f"{accuracy:.4f}")


def build_optimizer(config: StudentConfig, steps_per_epoch: int) -> optax.GradientTransformation:
    """Adam with decoupled weight decay, the gradient clipped to `clip_norm` before it.

    The `cosine` schedule falls from learning_rate to 0 over all epochs.
    """
    schedule = (
        optax.cosine_decay_schedule(config.learning_rate, config.epochs * steps_per_epoch)
        if config.schedule == "cosine"
        else config.learning_rate
    )
    clip = optax.identity() if config.clip_norm is None else optax.clip_by_global_norm(config.clip_norm)
    return optax.chain(clip, optax.adamw(schedule, weight_decay=config.weight_decay))


def _compile_epoch(
    model: Model, config: StudentConfig, optimizer: optax.GradientTransformation, mesh: Mesh
) -> Callable[..., tuple[Any, Float[Array, " seeds"]]]:
    """An epoch of all seeds. Devices that share a batch make the same step with the mean of their gradients.

    The rates are an argument, so that a student and its frozen control are one program, compiled once.
    """

    def run_step(state: tuple[Any, Any], rates: Any, batch: Split) -> tuple[tuple[Any, Any], Array]:
        parameters, memory = state

        def compute_loss(parameters: Any) -> Float[Array, ""]:
            if model.loss is not None:
                return model.loss(parameters, batch)
            return distillation_loss(model.apply(parameters, batch.features), batch.logits, batch.labels, config.loss)

        loss, gradient = jax.lax.pmean(jax.value_and_grad(compute_loss)(parameters), ROWS)
        updates, memory = optimizer.update(gradient, memory, parameters)
        return (optax.apply_updates(parameters, jax.tree.map(jnp.multiply, updates, rates)), memory), loss

    def run_epoch(
        state: Any, rates: Any, order: Int[Array, "steps batch"], train: Split
    ) -> tuple[Any, Float[Array, ""]]:
        state, losses = jax.lax.scan(
            lambda state, rows: run_step(state, rates, jax.tree.map(lambda array: array[rows], train)), state, order
        )
        return state, losses.mean()

    run_epochs = jax.shard_map(
        jax.vmap(run_epoch, in_axes=(0, None, 0, None)),
        mesh=mesh,
        in_specs=(P(SEEDS), P(), P(SEEDS, None, ROWS), P()),
        out_specs=P(SEEDS),
        check_vma=False,
    )
    return jax.jit(run_epochs, donate_argnums=0)


def _compile_validation(model: Model, config: StudentConfig) -> Callable[[Any, Split], tuple[list[float], list[float]]]:
    """(parameters of all seeds, split) -> loss and accuracy of each seed."""
    score = build_scorer(model, config)
    compute_losses = jax.jit(jax.vmap(partial(distillation_loss, config=config.loss), in_axes=(0, None, None)))

    def validate(parameters: Any, split: Split) -> tuple[list[float], list[float]]:
        scores = score(parameters, split.features)
        losses = compute_losses(scores, split.logits.astype(scores.dtype), split.labels)
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
