"""A student and a device's name -> a run that can be shown, sent and read.

In: a Checkpoint, features, a backend's name.  Out: DeviceRun, prepare_run(), score_values().  Imports: jax, numpy.
"""

import hashlib
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Shaped

from student_jax.checkpoint import Checkpoint
from student_jax.hardware.budget import digest_budget, make_budget
from student_jax.hardware.execution import cut_batches, prove_circuit
from student_jax.hardware.opening import OpenService, open_device
from student_jax.hardware.quantum_device import Batch, Device
from student_jax.hardware.sent_circuit import SentCircuit, exact_values, shorten_circuit, tie_angles
from student_jax.model import Affine, Parameters

# Texts whose circuit is simulated as compiled, gate by gate.
PROVED_TEXTS = 3


class DeviceRun(NamedTuple):
    """All that is known before anything is sent; `exact` are the readout's <Z> of every text without noise or shots.

    `error` is the largest difference from them of the compiled circuit, simulated for PROVED_TEXTS of the texts.
    """

    device: Device
    sent: SentCircuit
    batches: list[Batch]
    budget: dict[str, Any]
    digest: str
    exact: Float[np.ndarray, "rows outputs"]
    error: float


def prepare_run(
    checkpoint: Checkpoint,
    backend: str,
    features: Float[np.ndarray, "rows dimensions"],
    ids: Shaped[np.ndarray, " rows"],
    shots: int,
    calibrations: int,
    seed: int = 0,
    open_service: OpenService | None = None,
) -> DeviceRun:
    """Compile a student's circuit for `backend`, prove it, and count what a run costs.

    Args:
        checkpoint: a trained student, whose best seed is taken.
        backend: its name, one of opening.BACKENDS.
        features: of the texts.
        ids: of the same texts.
        shots: of every circuit.
        calibrations: circuits that show how well the device reads, of either kind; 0 for no mitigation.
        seed: of a simulated device.
        open_service: what opens IBM's service, by default its own.

    Raises:
        UserError: no such backend or account, a circuit of the user's own, or the compiled circuit is another one.
    """
    circuit, classes = checkpoint.description.config.circuit, len(checkpoint.description.labels)
    parameters = _select(checkpoint)
    sent, angles = shorten_circuit(circuit, classes), tie_angles(circuit, parameters.angles)
    z = features.astype(np.float64) @ parameters.encoding.weight + parameters.encoding.bias
    device = open_device(backend, sent, angles, open_service)
    exact = exact_values(circuit, classes, z, angles)
    error = prove_circuit(device, sent.parities, z[:PROVED_TEXTS], exact[:PROVED_TEXTS])
    batches = cut_batches(z, device.texts_per_job, shots, calibrations, seed)
    identity = {
        "backend": backend,
        "student": _hash(*jax.tree.leaves(checkpoint.selected_parameters)),
        "text_ids": _hash(ids),
    }
    budget = make_budget(device, batches, identity)
    return DeviceRun(device, sent, batches, budget, digest_budget(budget), exact, error)


def score_values(
    checkpoint: Checkpoint, values: Float[np.ndarray, "rows outputs"]
) -> Float[np.ndarray, "rows classes"]:
    """The scores that the student's readout makes of its <Z>."""
    readout: Affine | None = _select(checkpoint).readout
    return values if readout is None else values @ readout.weight + readout.bias


def _select(checkpoint: Checkpoint) -> Parameters:
    parameters: Parameters = jax.tree.map(lambda array: np.float64(array[0]), checkpoint.selected_parameters)
    return parameters


def _hash(*arrays: Shaped[np.ndarray, "..."]) -> str:
    found = hashlib.sha256()
    for array in arrays:
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()
