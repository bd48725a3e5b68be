"""A run on a device, from the student's angles to the values of its readout, each job sent once.

In: a Device, batches, a RunFolder.  Out: cut_batches(), prove_circuit(), run_batches(), read_values().
Imports: numpy.

A job is noted before it is sent and its id before it is waited for, so that whatever ends this process, the next one
finds the job where it was sent to and fetches it.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from student_jax.hardware.quantum_device import CALIBRATIONS, Batch, Counts, Device, Job, JobFailedError
from student_jax.hardware.readout_errors import estimate_confusion, mitigate
from student_jax.hardware.run_folder import JobRecord, RunFolder
from student_jax.hardware.sent_circuit import average_parities
from teacher_cache.errors import UserError

TOLERANCE = (
    1e-6  # between two exact simulations in double precision, one of them of gates resynthesised by a transpiler
)


class Values(NamedTuple):
    """The readout's <Z> of every text as measured, and mitigated where there are calibrations."""

    measured: Float[np.ndarray, "rows outputs"]
    mitigated: Float[np.ndarray, "rows outputs"] | None


def cut_batches(
    z: Float[np.ndarray, "rows qubits"], most: int, shots: int, calibrations: int, seed: int
) -> list[Batch]:
    """All jobs: at most `most` texts each, the calibrations in the first."""
    starts = range(0, len(z), most)
    return [
        Batch(z[start : start + most], shots, 0 if start else calibrations, seed + number)
        for number, start in enumerate(starts)
    ]


def prove_circuit(
    device: Device,
    parities: Bool[np.ndarray, "outputs bits"],
    z: Float[np.ndarray, "rows qubits"],
    exact: Float[np.ndarray, "rows outputs"],
) -> float:
    """Compare what would be sent, simulated without noise, with the student's exact <Z>; returns the largest error.

    Raises:
        UserError: they differ, so that gates, layout or order of the bits are wrong, and nothing must be sent.
    """
    found = np.array([average_parities(parities, said) for said in device.simulate(z)])
    error = float(np.abs(found - exact).max())
    if not error <= TOLERANCE:
        raise UserError(
            f"the compiled circuit must give the student's exact values to {TOLERANCE:g} without noise, got an error "
            f"of {error:.2g}; nothing was sent: take another backend and report this"
        )
    return error


def run_batches(
    device: Device,
    batches: list[Batch],
    bits: int,
    folder: RunFolder,
    digest: str,
    say: Callable[[str], None],
    refusal: str | None = None,
) -> None:
    """Send what was not sent, fetch what was not fetched, and keep all counts, text by text.

    Args:
        device: with the circuit compiled.
        batches: all jobs.
        bits: how many are measured.
        folder: where the run is kept.
        digest: of the budget that was agreed to.
        say: is given a line for every step.
        refusal: why nothing may be sent, but only fetched.

    Raises:
        UserError: a job ended without a result, or `refusal` where one would have to be sent.
    """
    first = 0
    for number, batch in enumerate(batches):
        places = [*(range(-CALIBRATIONS, 0) if batch.calibrations else ()), *range(first, first + len(batch.z))]
        first += len(batch.z)
        wanted = {place: batch.shots * (1 if place >= 0 else batch.calibrations) for place in places}
        if all(folder.read_part(place, digest, bits, shots) is not None for place, shots in wanted.items()):
            continue
        job, attempt = _recover_or_submit(device, batch, number, folder, digest, say, refusal)
        try:
            counts = job.fetch()
        except JobFailedError as error:
            folder.write_job(number, digest, JobRecord(attempt + 1, None))
            raise UserError(f"{error}; it gave no counts; the same command sends it anew") from error
        _require_counts(counts, list(wanted.values()), bits, job)
        for place, one in zip(places, counts, strict=True):
            folder.write_part(place, digest, one)
        say(f"job {number + 1} of {len(batches)}: {len(batch.z)} texts kept")


def read_values(
    batches: list[Batch], parities: Bool[np.ndarray, "outputs bits"], folder: RunFolder, digest: str
) -> Values:
    """The readout's values from the kept counts of a whole run.

    Raises:
        UserError: a part is missing or damaged.
    """
    bits, shots, calibrations = parities.shape[1], batches[0].shots, batches[0].calibrations

    def read(place: int) -> Counts:
        found = folder.read_part(place, digest, bits, shots * (1 if place >= 0 else calibrations))
        if found is None:
            raise UserError(f"{folder.path} must hold the counts of text {place}; run the same command again")
        return found

    counts = [read(place) for place in range(sum(len(batch.z) for batch in batches))]
    measured = np.array([average_parities(parities, one) for one in counts])
    if not calibrations:
        return Values(measured, None)
    confusion = estimate_confusion(read(-2), read(-1))
    return Values(measured, np.array([average_parities(parities, one) for one in mitigate(counts, confusion)]))


def _recover_or_submit(
    device: Device,
    batch: Batch,
    number: int,
    folder: RunFolder,
    digest: str,
    say: Callable[[str], None],
    refusal: str | None,
) -> tuple[Job, int]:
    noted = folder.read_job(number, digest)
    attempt = 0 if noted is None else noted.attempt
    tag = f"qdllm-{digest}-{number}-{attempt}"
    found = None if noted is None else device.find(tag, noted.id)
    if found is not None:
        say(f"job {number + 1}: {found.id} was sent before; fetching it")
        folder.write_job(number, digest, JobRecord(attempt, found.id))
        return found, attempt
    if refusal is not None:
        raise UserError(refusal)
    folder.write_job(number, digest, JobRecord(attempt, None))
    job = device.submit(batch, tag)
    folder.write_job(number, digest, JobRecord(attempt, job.id))
    say(f"job {number + 1}: {job.id} sent, {len(batch.z)} texts")
    return job, attempt


def _require_counts(counts: list[Counts], shots: list[int], bits: int, job: Job) -> None:
    """Refuse another number of circuits, shots or bits than were asked for.

    Raises:
        UserError: the device has given something else.
    """
    found = [sum(one.values()) for one in counts]
    if found != shots or any(len(string) != bits for one in counts for string in one):
        raise UserError(
            f"job {job.id} must give {len(shots)} circuits of {bits} bits and {sum(shots)} shots, got {len(counts)} "
            f"circuits and {sum(found)} shots; look at it at the device's maker"
        )
