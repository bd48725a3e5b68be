"""What a comparator is once it is tuned and trained.

In: nothing.  Out: Learned.  Imports: jax.
"""

from typing import Any, NamedTuple

import jax

from student_jax.training.best_epochs import Training
from student_jax.tunable import Tuning


class Learned(NamedTuple):
    """A comparator that is tuned and trained: the chosen setting, its students, what validation said of all settings.

    `trainable` is how many numbers training changed, `inference` how many classify what it reads.
    """

    config: Any
    training: Training
    tuning: Tuning
    trainable: int
    inference: int

    @property
    def selected_parameters(self) -> Any:
        """The best seed's parameters, the leading axis kept with length 1."""
        chosen = self.training.selected
        return jax.tree.map(lambda array: array[chosen : chosen + 1], self.training.parameters)
