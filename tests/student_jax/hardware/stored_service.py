"""IBM's service as a folder: a job that was sent lives on there, whatever becomes of who sent it.

In: a folder.  Out: StoredService, draw_student().  Imports: qiskit, qiskit_ibm_runtime's local mode.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from qiskit.primitives import BackendSamplerV2
from qiskit_ibm_runtime.fake_provider import FakeManilaV2

from student_jax.checkpoint import Checkpoint, Description
from student_jax.config import CircuitConfig, StudentConfig
from student_jax.model import Parameters, initialise_parameters


def draw_student() -> Checkpoint:
    """A student of 4 features at random parameters, large enough for its texts to differ."""
    config = StudentConfig(circuit=CircuitConfig(qubits=3, layers=2), encoding_scale=1.0, angle_scale=1.5)
    drawn = initialise_parameters(config, 4, 2, np.random.default_rng(0))
    arrays = Parameters(*(type(part)(*(array[None] for array in part)) for part in drawn))
    return Checkpoint(Description(["no", "yes"], 4, config, [0], [1], 0, 0.0, "0" * 64, {}), arrays)


@dataclass(frozen=True)
class StoredService:
    """The part of QiskitRuntimeService that is used; every job is a file."""

    folder: Path

    def backend(self, name: str) -> FakeManilaV2:
        if name != "manila":
            raise LookupError(f"no backend {name}\nin any instance")
        return FakeManilaV2()

    def send(self, backend: FakeManilaV2, pubs: list[Any], shots: int, tags: list[str]) -> "StoredJob":
        """Run `pubs` as qiskit-ibm-runtime does locally, and keep what comes back."""
        said = [pub.data.c for pub in BackendSamplerV2(backend=backend).run(pubs, shots=shots).result()]
        counts = [
            [array.get_counts(*place) for place in ([()] if not array.shape else zip(np.ndindex(array.shape)))]
            for array in said
        ]
        path = self.folder / f"job{self.count()}.json"
        path.write_text(json.dumps({"status": "DONE", "tags": tags, "counts": counts}))
        return StoredJob(path)

    def job(self, known: str) -> "StoredJob":
        return StoredJob(self.folder / f"{known}.json")

    def jobs(self, limit: int, job_tags: list[str]) -> list["StoredJob"]:
        paths = sorted(self.folder.glob("*.json"))
        return [StoredJob(path) for path in paths if json.loads(path.read_text())["tags"] == job_tags][:limit]

    def count(self) -> int:
        """How many jobs were ever sent."""
        return len(list(self.folder.glob("*.json")))


@dataclass(frozen=True)
class StoredJob:
    """The part of a RuntimeJobV2 that is used."""

    path: Path

    def job_id(self) -> str:
        return self.path.stem

    def status(self) -> str:
        return str(json.loads(self.path.read_text())["status"])

    def result(self) -> list[Any]:
        content = json.loads(self.path.read_text())
        if content["status"] != "DONE":
            raise RuntimeError("the fridge is warm")
        return [SimpleNamespace(data=SimpleNamespace(c=StoredBits(counts))) for counts in content["counts"]]


@dataclass(frozen=True)
class StoredBits:
    """A BitArray's counts."""

    counts: list[dict[str, int]]

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.counts),)

    def get_counts(self, place: tuple[int, ...]) -> dict[str, int]:
        return self.counts[place[0]]


class StoredSampler:
    """The sampler of StoredService: what would be sent over the network is run here."""

    def __init__(self, service: StoredService, backend: FakeManilaV2) -> None:
        self.service, self.backend = service, backend
        self.options = SimpleNamespace(environment=SimpleNamespace(job_tags=[]))

    def run(self, pubs: list[Any], shots: int) -> StoredJob:
        return self.service.send(self.backend, pubs, shots, self.options.environment.job_tags)
