"""The loss that the student is trained with: equation 24, of rows with a label and of rows without.

In: scores, teacher probabilities, labels.
Out: losses per row, find_sure(), LossNumbers, Term, distillation_loss(), isolate_term().
Imports: jax.

Every value and gradient is finite for finite scores, also where a teacher's probability is exactly 0 or 1.
"""

from dataclasses import replace
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from student_jax.config import LossConfig

Term = Literal["ce", "kl", "js"]
Rows = Float[Array, " rows"]
Table = Float[Array | np.ndarray, "rows classes"]
Labels = Int[Array | np.ndarray, " rows"]
# Which rows have a label; None where all have, so that nothing is computed for those that have none.
Known = Bool[Array | np.ndarray, " rows"] | None


class LossNumbers(NamedTuple):
    """A LossConfig's numbers in arrays, for a program that takes them as arguments."""

    soft: Float[Any, ""]
    hard: Float[Any, ""]
    kl: Float[Any, ""]
    js: Float[Any, ""]
    temperature: Float[Any, ""]
    confidence: Float[Any, ""]


def distillation_loss(
    scores: Table, teacher_logits: Table, labels: Labels, config: LossConfig | LossNumbers, known: Known = None
) -> Float[Array, ""]:
    """Mean over rows of soft * T^2 * (kl * KL(f || q) + js * JS(f, q)) + hard * CE(y, q).

    A row without a label has no CE, and where its teacher is not sure enough no soft terms. It counts in the mean all
    the same: a text weighs the same in any batch, whatever else is in it.

    f and q of the soft part are softened at the temperature T; its square keeps the size of the soft gradients
    independent of T (Hinton et al. 2015, arXiv:1503.02531, section 2). CE takes the scores as they are.

    Args:
        scores: the student's unnormalised scores.
        teacher_logits: the teacher's raw logits.
        labels: true classes.
        config: weights (lambda1 = `soft`, lambda2 = `hard` of equation 24), temperature and confidence.
        known: which rows have a label.

    Returns:
        The loss in nats, >= 0.
    """
    softened = scores / config.temperature
    teacher = jax.nn.softmax(teacher_logits / config.temperature)
    divergence = config.kl * kullback_leibler(softened, teacher) + config.js * jensen_shannon(softened, teacher)
    if known is not None:
        divergence = jnp.where(known | find_sure(teacher_logits, config.confidence), divergence, 0.0)
    soft = config.soft * config.temperature**2 * divergence.mean()
    return soft + config.hard * cross_entropy(scores, labels, known).mean()


def isolate_term(term: Term, config: LossConfig) -> LossConfig:
    """One term of equation 24 alone, its weights 1, at the temperature of `config`: a row of the paper's table 7."""
    weights = {name: float(name == term) for name in ("kl", "js")}
    return replace(config, soft=float(term != "ce"), hard=float(term == "ce"), **weights)


def find_sure(teacher_logits: Table, confidence: Any) -> Bool[Array, " rows"]:
    """Where the teacher gives a class the probability `confidence` at least."""
    return jax.nn.softmax(teacher_logits).max(axis=-1) >= confidence


def kullback_leibler(scores: Table, teacher: Table) -> Rows:
    """KL(f || q) = sum_i f_i log(f_i / q_i) of each row in nats, with q = softmax(scores).

    Args:
        scores: the student's scores.
        teacher: probabilities f; rows sum to 1, zeros allowed.
    """
    return jnp.sum(teacher * (_log(teacher) - jax.nn.log_softmax(scores)), axis=-1)


def jensen_shannon(scores: Table, teacher: Table) -> Rows:
    """JS(f, q) = (KL(f || m) + KL(q || m)) / 2 of each row in nats, with q = softmax(scores) and m = (f + q) / 2.

    By log(f / m) = log 2 - softplus(log q - log f), and the same with f and q exchanged, no sum f + q is formed that
    could be 0. At most log 2.

    Args:
        scores: the student's scores.
        teacher: probabilities f; rows sum to 1, zeros allowed.
    """
    log_student = jax.nn.log_softmax(scores)
    difference = log_student - _log(teacher)
    of_teacher = teacher * (jnp.log(2.0) - jax.nn.softplus(difference))
    of_student = jnp.exp(log_student) * (jnp.log(2.0) - jax.nn.softplus(-difference))
    return jnp.sum(of_teacher + of_student, axis=-1) / 2


def cross_entropy(scores: Table, labels: Labels, known: Known = None) -> Rows:
    """CE(y, q) = -log q_y of each row in nats, with q = softmax(scores); 0 where y is not `known`.

    A label that is none, NO_LABEL, gives NaN where `known` does not say so.
    """
    log_student = jax.nn.log_softmax(scores)
    classes = labels if known is None else jnp.where(known, labels, 0)
    found = -jnp.take_along_axis(log_student, classes[:, None], axis=-1)[:, 0]
    return found if known is None else jnp.where(known, found, 0.0)


def _log(probabilities: Table) -> Table:
    """Logarithm with the dtype's smallest number in place of 0: what multiplies it is then 0, or vanishes beside 1."""
    return jnp.log(jnp.maximum(probabilities, jnp.finfo(probabilities.dtype).tiny))
