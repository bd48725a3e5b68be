"""A backend by its name, opened with the library's own account: none of its tokens pass through here.

In: a name.  Out: open_device(), BACKENDS.  Imports: qiskit's or Braket's libraries, where one is asked for.
"""

import importlib
from collections.abc import Callable
from typing import Any

from student_jax.hardware.quantum_device import Device
from student_jax.hardware.sent_circuit import SentCircuit
from teacher_cache.errors import UserError

BACKENDS = "aer, fake_fez, fake_torino, ibm:NAME or braket:ARN"
FAKES = {"fake_fez": "FakeFez", "fake_torino": "FakeTorino"}
# A simulated job ends with its process: short ones lose little. A real one is one job.
SIMULATED_TEXTS, REAL_TEXTS = 20, 5000

# Opens IBM's service; what its account is, the library knows.
OpenService = Callable[[], Any]


def open_device(name: str, sent: SentCircuit, angles: Any, open_service: OpenService | None = None) -> Device:
    """The circuit compiled for the backend called `name`.

    Args:
        name: one of BACKENDS.
        sent: what is sent.
        angles: as `tie_angles` gives them.
        open_service: what opens IBM's service, by default QiskitRuntimeService.

    Raises:
        UserError: no such backend, its library or account is not there, or the circuit does not fit.
    """
    family, _, which = name.partition(":")
    if family == "braket" and which:
        _require_library("braket.aws", "amazon-braket-sdk", ", in an environment without DVC: docs/devices.md")
        from student_jax.hardware.braket_device import open_braket

        return open_braket(which, sent, angles)
    if name != "aer" and name not in FAKES and not (family == "ibm" and which):
        raise UserError(f"--backend must be {BACKENDS}, got {name}")
    _require_library("qiskit_ibm_runtime", "qdllm[hardware]")
    from student_jax.hardware.qiskit_device import QiskitDevice

    if family == "ibm":
        service, backend = _open_ibm(which, open_service)
        return QiskitDevice.compile(sent, angles, backend, service, REAL_TEXTS)
    if name == "aer":
        backend = importlib.import_module("qiskit_aer").AerSimulator()
    else:
        backend = getattr(importlib.import_module("qiskit_ibm_runtime.fake_provider"), FAKES[name])()
    return QiskitDevice.compile(sent, angles, backend, None, SIMULATED_TEXTS)


def _require_library(module: str, install: str, where: str = "") -> None:
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise UserError(
            f"backend needs the package {error.name}, which is not installed; run pip install '{install}'{where}"
        ) from error


def _open_ibm(name: str, open_service: OpenService | None) -> tuple[Any, Any]:
    if open_service is None:
        open_service = importlib.import_module("qiskit_ibm_runtime").QiskitRuntimeService
    try:
        service = open_service()
        return service, service.backend(name)
    except Exception as error:  # accounts, networks, names: errors of several libraries
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise UserError(
            f"backend ibm:{name} must be reachable with the account that qiskit-ibm-runtime has saved "
            f"(QiskitRuntimeService.save_account), got: {reason}"
        ) from error
