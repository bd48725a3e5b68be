"""One epoch of many students as one compiled call, and what its arguments are.

In: a Model, a TrainingConfig, a mesh of devices.  Out: compile_epoch(), shuffle_rows(), fill_steps(), arrange_rates().
Imports: jax, optax.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float, Int

from student_jax.config import TrainingConfig
from student_jax.data.dataset import Split
from student_jax.devices import ROWS, STUDENTS, map_students
from student_jax.model import Model, name_arrays
from student_jax.training.losses import distillation_loss
from student_jax.training.optimizer import Numbers, build_optimizer

# A student's parameters, and what its optimizer remembers.
State: TypeAlias = tuple[Any, Any]
# (states of all students, rates, numbers of all students, rows of each step, what is trained on) -> states, losses
Epoch: TypeAlias = Callable[..., tuple[State, Float[Array, " students"]]]


def compile_epoch(model: Model, config: TrainingConfig, steps_per_epoch: int, mesh: Mesh) -> Epoch:
    """An epoch of all students. Devices that share a batch make the same step with the mean of their gradients.

    The rates are an argument, so that a student and its frozen control are one program, compiled once.

    Args:
        model: what is trained.
        config: what is compiled in; the numbers that may differ from student to student are arguments.
        steps_per_epoch: of a whole epoch, which the schedule counts by.
        mesh: STUDENTS by ROWS.
    """
    penalised = [*model.penalised, *(model.readout if config.l2_readout else [])]

    def take_step(state: State, rates: Any, numbers: Numbers, batch: Split) -> tuple[State, Float[Array, ""]]:
        parameters, memory = state

        def compute_loss(parameters: Any) -> tuple[Float[Array, ""], Float[Array, ""]]:
            loss = measure_loss(model, parameters, batch, numbers)
            return loss + numbers.l2 / 2 * sum_squares(penalised, parameters), loss

        gradient, loss = jax.grad(compute_loss, has_aux=True)(parameters)
        gradient, loss = jax.lax.pmean((gradient, loss), ROWS)
        optimizer = build_optimizer(config, numbers, rates, steps_per_epoch)
        updates, memory = optimizer.update(gradient, memory, parameters)
        return (optax.apply_updates(parameters, updates), memory), loss

    def run_epoch(
        states: State, rates: Any, numbers: Numbers, order: Int[Array, "students steps batch"], train: Split
    ) -> tuple[State, Float[Array, " students"]]:
        def run_student(student: tuple[State, Numbers, Int[Array, "steps batch"]]) -> tuple[State, Float[Array, ""]]:
            state, numbers, order = student

            def step(state: State, rows: Int[Array, " batch"]) -> tuple[State, Float[Array, ""]]:
                batch = jax.tree.map(lambda array: array[rows], train)
                return take_step(state, rates, numbers, batch)

            state, losses = jax.lax.scan(step, state, order)
            return state, losses.mean()

        rows = order.shape[-1]
        return map_students(run_student, (states, numbers, order), rows * model.amplitudes, model.threads)

    on_devices = jax.shard_map(
        run_epoch,
        mesh=mesh,
        in_specs=(P(STUDENTS), P(), P(STUDENTS), P(STUDENTS, None, ROWS), P()),
        out_specs=P(STUDENTS),
        check_vma=False,
    )
    return jax.jit(on_devices, donate_argnums=0)


def measure_loss(model: Model, parameters: Any, batch: Split, numbers: Numbers) -> Float[Array, ""]:
    """The loss that is shown: the model's own where it brings one, else the distillation loss of its scores."""
    if model.loss is not None:
        return model.loss(parameters, batch)
    scores = model.apply(parameters, batch.features)
    return distillation_loss(scores, batch.logits, batch.labels, numbers.loss, batch.known)


def sum_squares(names: Sequence[str], parameters: Any) -> Float[Array, ""] | float:
    """The sum of the squares of the arrays with these names."""
    arrays = name_arrays(parameters)
    return sum((jnp.vdot(arrays[name], arrays[name]) for name in names), 0.0)


def shuffle_rows(generator: np.random.Generator, rows: int, batch: int) -> Int[np.ndarray, "steps batch"]:
    """A random order of the rows, cut into whole batches; what is left over has no turn."""
    order = generator.permutation(rows).astype(np.int32)
    whole = rows // batch * batch
    return order[:whole].reshape(-1, batch)


def fill_steps(generator: np.random.Generator, rows: int, steps: int, batch: int) -> Int[np.ndarray, "steps batch"]:
    """Random orders of the rows, one behind the other, cut into `steps` batches."""
    orders = [generator.permutation(rows).astype(np.int32) for _ in range(-(-steps * batch // rows))]
    return np.concatenate(orders)[: steps * batch].reshape(steps, batch)


def arrange_rates(model: Model, precision: str) -> Any:
    """`model.rates` as a pytree like the parameters."""
    parameters = model.initialise(np.random.default_rng(0))
    factors = [np.asarray(model.rates.get(name, 1.0), precision) for name in name_arrays(parameters)]
    return jax.tree.unflatten(jax.tree.structure(parameters), factors)
