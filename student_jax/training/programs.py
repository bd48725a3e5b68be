"""What of a training is compiled: an epoch, the optimizer's first memory, and what validation measures.

In: a Model, a TrainingConfig, and the shapes of an epoch.  Out: Programs, compile_programs().  Imports: jax.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import jax
from jax.sharding import Mesh

from student_jax.config import TrainingConfig
from student_jax.data.dataset import Split
from student_jax.devices import ROWS, STUDENTS, count_together, require_memory, share_training
from student_jax.model import Model, Score, build_scorer
from student_jax.training.epoch import Epoch, State, compile_epoch
from student_jax.training.losses import LossNumbers, distillation_loss
from student_jax.training.optimizer import Numbers, build_optimizer

# (parameters, numbers and rates of all students) -> parameters and the optimizer's first memory
Start: TypeAlias = Callable[[Any, Numbers, Any], State]
# (parameters and loss of all students, split) -> loss and accuracy of each student
Validate: TypeAlias = Callable[[Any, LossNumbers, Split], tuple[list[float], list[float]]]

# Of parameters and loss of each student, on the same rows.
_compute_losses = jax.jit(jax.vmap(distillation_loss, in_axes=(0, None, None, 0)))


class Programs(NamedTuple):
    """The compiled parts of a training of `epochs` epochs, each of `steps` steps of `batch` rows, on `mesh`.

    Another training of the same model, settings and shapes may run them again; the numbers that `name_program` leaves
    out, and initial values, may differ.
    """

    epochs: int
    steps: int
    batch: int
    mesh: Mesh
    run_epoch: Epoch
    start: Start
    score: Score
    validate: Validate


def compile_programs(
    model: Model, config: TrainingConfig, steps: int, batch: int, students: int, least: int = 1
) -> Programs:
    """Compile, when they are first called, the parts of a training.

    Args:
        model: what is trained.
        config: its `epochs` are those that the schedule counts.
        steps: of an epoch.
        batch: rows of a step.
        students: how many are trained together.
        least: validation rows that are scored together at least, for fewer shapes.

    Raises:
        UserError: the simulation does not fit the memory.
    """
    mesh = share_training(students, batch, model.threads)
    rows = 1
    if model.side_by_side and jax.default_backend() == "cpu":  # all devices of a CPU take of the same memory
        together = min(students, count_together(batch * model.amplitudes, model.threads))
        rows = batch * mesh.shape[STUDENTS] * together
    elif model.side_by_side:
        rows = batch // mesh.shape[ROWS]
    require_memory(model.amplitudes, rows, config.precision)
    score = build_scorer(model, config.precision, least)

    def start(parameters: Any, numbers: Numbers, rates: Any) -> State:
        return parameters, memorise(parameters, numbers, rates)

    @jax.jit
    def memorise(parameters: Any, numbers: Numbers, rates: Any) -> Any:
        return jax.vmap(build_optimizer(config, numbers, rates, steps).init)(parameters)

    run_epoch = compile_epoch(model, config, steps, mesh)
    return Programs(config.epochs, steps, batch, mesh, run_epoch, start, score, _compile_validation(score))


def _compile_validation(score: Score) -> Validate:
    def validate(parameters: Any, loss: LossNumbers, split: Split) -> tuple[list[float], list[float]]:
        scores = score(parameters, split.features)
        losses = _compute_losses(scores, split.logits.astype(scores.dtype), split.labels, loss)
        hits = scores.argmax(axis=-1) == split.labels
        return losses.tolist(), hits.mean(axis=-1).tolist()

    return validate
