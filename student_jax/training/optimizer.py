"""The optimizer, whose numbers are arguments of a compiled program: Adam with weight decay, a schedule, clipping.

In: TrainingConfig.  Out: Numbers, gather_numbers(), build_optimizer().  Imports: jax, optax.
"""

from dataclasses import asdict
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from student_jax.config import TrainingConfig
from student_jax.training.losses import LossNumbers


class Numbers(NamedTuple):
    """What a compiled program takes of a TrainingConfig as arguments; `clip_norm` is None where nothing is clipped."""

    learning_rate: Float[Any, ""]
    l2: Float[Any, ""]
    weight_decay: Float[Any, ""]
    clip_norm: Float[Any, ""] | None
    loss: LossNumbers


def build_optimizer(
    config: TrainingConfig, numbers: Numbers, rates: Any, steps_per_epoch: int
) -> optax.GradientTransformation:
    """Adam with decoupled weight decay, the gradient clipped to `clip_norm` before it.

    The `cosine` schedule falls from learning_rate to 0 over all epochs. A parameter's rate multiplies Adam's step and
    not the decay, which spares only what is not trained at all.
    """
    schedule = (
        optax.cosine_decay_schedule(numbers.learning_rate, config.epochs * steps_per_epoch)
        if config.schedule == "cosine"
        else numbers.learning_rate
    )

    def add_decay(step: Array, value: Array, rate: Array) -> Array:
        return rate * step + jnp.sign(rate) * numbers.weight_decay * value

    chain = optax.chain(
        optax.identity() if numbers.clip_norm is None else optax.clip_by_global_norm(numbers.clip_norm),
        optax.scale_by_adam(),
        optax.stateless(lambda steps, values: jax.tree.map(add_decay, steps, values, rates)),
        optax.scale_by_learning_rate(schedule),
    )

    def update(gradient: Any, state: Any, parameters: Any) -> tuple[Any, Any]:
        # Optax counts steps in whole numbers and leaves it to promotion to multiply fractions with them.
        with jax.numpy_dtype_promotion("standard"):
            return chain.update(gradient, state, parameters)

    return optax.GradientTransformation(chain.init, update)


def gather_numbers(config: TrainingConfig) -> Numbers:
    """The numbers of `config`, scalars of its precision."""
    loss = LossNumbers(**asdict(config.loss))
    numbers = Numbers(config.learning_rate, config.l2, config.weight_decay, config.clip_norm, loss)
    return jax.tree.map(lambda number: np.asarray(number, config.precision), numbers)
