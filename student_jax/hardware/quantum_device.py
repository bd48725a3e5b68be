"""What every device can do, whoever makes it.

In: nothing.  Out: Counts, Batch, Job, Device, CALIBRATIONS, count_circuits(), join_calibrations().  Imports: numpy.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np
from jaxtyping import Float

# How often each string of bits came, first bit first.
Counts: TypeAlias = dict[str, int]

# Circuits that prepare all bits as 0 and all as 1: how well the device reads.
CALIBRATIONS = 2


class Batch(NamedTuple):
    """What one job holds: a circuit for every row of `z`, each of `shots` shots.

    Before them come `calibrations` circuits of each of the CALIBRATIONS, of as many shots each, because a job has one
    number of shots. `seed` is for simulators.
    """

    z: Float[np.ndarray, "rows qubits"]
    shots: int
    calibrations: int
    seed: int


class Job(NamedTuple):
    """A job that was sent: its name at the device's maker, and what waits for its counts.

    These are one for each of the CALIBRATIONS, where there are any, and one for each text.
    `fetch` raises JobFailedError where the job ended without a result.
    """

    id: str
    fetch: Callable[[], list[Counts]]


class JobFailedError(Exception):
    """A job that ended without a result, for which nothing is left to wait."""


@runtime_checkable
class Device(Protocol):
    """A compiled circuit on one device."""

    @property
    def paid(self) -> bool:
        """Whether jobs live on at the device's maker, and may cost; others end with this process."""

    @property
    def texts_per_job(self) -> int:
        """The most texts that a job holds."""

    def describe(self) -> dict[str, Any]:
        """What the compiled circuit is, for the budget: `qubits`, `two_qubit_gates`, `depth`, ..."""

    def simulate(self, z: Float[np.ndarray, "rows qubits"]) -> list[dict[str, float]]:
        """The probabilities of the measured strings of the compiled circuit without noise, for every row."""

    def estimate_cost(self, batches: list[Batch]) -> dict[str, float | None]:
        """`seconds` and `price_usd` of all `batches`; None where the device does not say."""

    def submit(self, batch: Batch, tag: str) -> Job:
        """Send a job that can be found by `tag`."""

    def find(self, tag: str, known: str | None) -> Job | None:
        """The job that was sent with `tag`, whose id is `known` unless the sender was cut off before it had it.

        Raises:
            UserError: it cannot be known whether it was sent.
        """


def count_circuits(batches: list[Batch]) -> int:
    """How many circuits are run in all."""
    return sum(len(batch.z) + CALIBRATIONS * batch.calibrations for batch in batches)


def join_calibrations(circuits: list[list[Counts]]) -> list[Counts]:
    """The counts of equal calibrations together, then those of every text.

    Args:
        circuits: the counts of each circuit's sets of parameters: as many calibrations of one kind as of the other,
            then the texts' circuit.
    """
    *calibrations, texts = circuits
    each = len(calibrations) // CALIBRATIONS
    kinds = [calibrations[start : start + each] for start in range(0, len(calibrations), each)] if each else []
    totals = [sum((Counter(counts) for (counts,) in kind), Counter[str]()) for kind in kinds]
    return [dict(sorted(counts.items())) for counts in (*totals, *texts)]
