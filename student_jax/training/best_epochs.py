"""Which epoch of each student is its best, and what becomes of a setting once its students are trained.

In: what every student reached after every epoch.  Out: Training, Divergence, BestEpochs, conclude().
Imports: jax, numpy.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Int

from student_jax.model import Score
from student_jax.training.curves import EpochResult


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

    def best_results(self) -> list[EpochResult]:
        """What each seed reached in its best epoch."""
        found = {(result.seed, result.epoch): result for result in self.curves}
        return [found[place] for place in zip(self.seeds, self.best_epochs, strict=True)]


class Divergence(NamedTuple):
    """What is left of a training one of whose seeds got a loss that is not finite."""

    epoch: int
    loss: float


class BestEpochs:
    """Each student's best epoch so far, the one with the smallest validation loss.

    Of every student: `parameters`, `losses` and `epochs` (numbers) are those of its best epoch; `last` is the last one
    that it took.
    """

    def __init__(self, parameters: Any, patience: Int[np.ndarray, " students"]) -> None:
        """Start from initial `parameters`; `patience` is how many epochs each student waits for a better one."""
        students = len(patience)
        self.parameters = parameters
        self.losses = np.full(students, np.inf)
        self.epochs = np.zeros(students, int)
        self.last = np.zeros(students, int)
        self._patience = patience
        self._goes_on = np.full(students, True)

    def update(self, results: Sequence[EpochResult], parameters: Any) -> bool:
        """Take over the students that became better; False when no student has patience left.

        One without patience, or whose loss is not finite, stays as it is while others go on: no student's result
        depends on its company.
        """
        epoch = results[0].epoch
        losses = np.array([result.validation_loss for result in results])
        better = self._goes_on & (losses < self.losses)

        def keep_better(old: np.ndarray, new: np.ndarray) -> np.ndarray:
            one_per_student = better.reshape(-1, *[1] * (old.ndim - 1))
            return np.where(one_per_student, new, old)

        self.parameters = jax.tree.map(keep_better, self.parameters, parameters)
        self.losses = np.where(better, losses, self.losses)
        self.epochs = np.where(better, epoch, self.epochs)
        self.last[self._goes_on] = epoch
        waited = epoch - self.epochs
        self._goes_on &= np.isfinite(losses) & (waited < self._patience)
        return bool(self._goes_on.any())


def conclude(
    best: BestEpochs, curves: Sequence[Sequence[EpochResult]], students: slice, seconds: float, score: Score
) -> Training | Divergence:
    """What became of the setting whose seeds are `students`; the epochs after the last that any of them took go.

    Args:
        best: every student's best epoch.
        curves: epoch by epoch, what every student reached.
        students: where the setting's seeds stand among them.
        seconds: of a typical epoch.
        score: the compiled scorer of all students.
    """
    last = best.last[students]
    own = [results[students] for results in curves[: last.max()]]
    for results in own:
        for result, end in zip(results, last, strict=True):
            if result.epoch <= end and not np.isfinite(result.validation_loss):
                return Divergence(result.epoch, result.validation_loss)
    return Training(
        parameters=jax.tree.map(lambda array: array[students], best.parameters),
        seeds=[result.seed for result in own[0]],
        best_epochs=best.epochs[students].tolist(),
        selected=int(best.losses[students].argmin()),
        curves=[result for results in own for result in results],
        seconds_per_epoch=seconds,
        score=score,
    )
