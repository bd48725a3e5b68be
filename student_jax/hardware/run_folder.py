"""A run on a device, on disk: the budget that was shown, the jobs that were sent, what came back, text by text.

In: a folder.  Out: RunFolder, JobRecord.  Imports: the standard library.

budget.json, jobs/NNNN.json and parts/NNNNN.json are sealed, and bounded before they are read.
"""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from student_jax.hardware.quantum_device import CALIBRATIONS, Counts
from teacher_cache.errors import UserError
from teacher_cache.publish import try_lock
from teacher_cache.sealed import read_sealed, write_sealed

FORMAT = 1
BUDGET, JOBS, PARTS, LOCK = "budget.json", "jobs", "parts", "lock"
MAX_BYTES = 1 << 16  # of a budget or a job
BYTES_OF_A_STRING = 64  # of a part, besides its bits


class JobRecord(NamedTuple):
    """A job that was sent, or was about to be: `id` is None until its maker has said it.

    `attempt` counts those before it that ended without a result; of the last of them there is no other record.
    """

    attempt: int
    id: str | None


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run."""

    path: Path

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Keep the folder for this process alone.

        Raises:
            UserError: another process has it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / LOCK).open("a") as file:
            if not try_lock(file):
                raise UserError(f"{self.path} must have one process at a time, got another that runs; wait for it")
            yield

    def write_budget(self, budget: Mapping[str, Any]) -> None:
        """Keep what is shown."""
        write_sealed(self.path / BUDGET, {"format": FORMAT, "budget": budget})

    def read_budget(self) -> dict[str, Any] | None:
        """What was shown last; None where nothing was."""
        content = self._read(self.path / BUDGET, MAX_BYTES)
        if content is None:
            return None
        _require(isinstance(content.get("budget"), dict), self.path / BUDGET, "a budget")
        return dict(content["budget"])

    def has_jobs(self) -> bool:
        """Whether a job was ever sent from here."""
        return any((self.path / JOBS).glob("*.json"))

    def write_job(self, number: int, digest: str, record: JobRecord) -> None:
        """Note a job, durably."""
        write_sealed(self._job(number), {"format": FORMAT, "digest": digest, **record._asdict()})

    def read_job(self, number: int, digest: str) -> JobRecord | None:
        """What was noted of a job of the budget `digest`; None where none was sent."""
        path = self._job(number)
        content = self._read(path, MAX_BYTES)
        if content is None:
            return None
        _require_digest(content, digest, path)
        attempt: Any = content.get("attempt")
        known: Any = content.get("id")
        _require(type(attempt) is int and attempt >= 0 and (known is None or isinstance(known, str)), path, "a job")
        return JobRecord(attempt, known)

    def write_part(self, place: int, digest: str, counts: Counts) -> None:
        """Keep what came back for the text at `place`; -1 and -2 are the calibrations."""
        write_sealed(self._part(place), {"format": FORMAT, "digest": digest, "counts": counts})

    def read_part(self, place: int, digest: str, bits: int, shots: int) -> Counts | None:
        """The counts of a text, `shots` strings of `bits` bits; None where they have not come yet.

        Raises:
            UserError: the file is damaged, edited, of another budget, or has other counts.
        """
        path = self._part(place)
        content = self._read(path, MAX_BYTES + shots * (bits + BYTES_OF_A_STRING))
        if content is None:
            return None
        _require_digest(content, digest, path)
        counts: Any = content.get("counts")
        _require(isinstance(counts, dict), path, "counts")
        for string, count in counts.items():
            _require(len(string) == bits and set(string) <= {"0", "1"}, path, f"strings of {bits} bits")
            _require(type(count) is int and 0 < count <= shots, path, f"counts from 1 to {shots}")
        _require(sum(counts.values()) == shots, path, f"{shots} shots")
        return dict(counts)

    def _job(self, number: int) -> Path:
        return self.path / JOBS / f"{number:04d}.json"

    def _part(self, place: int) -> Path:
        name = f"{place:05d}" if place >= 0 else f"calibration-{CALIBRATIONS + place}"
        return self.path / PARTS / f"{name}.json"

    def _read(self, path: Path, limit: int) -> dict[str, Any] | None:
        try:
            return read_sealed(path, FORMAT, limit=limit)
        except FileNotFoundError:
            return None


def hash_file(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _require(rule: bool, path: Path, wanted: str) -> None:
    if not rule:
        raise UserError(f"{path} must hold {wanted}, got something else; move the folder away and run anew")


def _require_digest(content: Mapping[str, Any], digest: str, path: Path) -> None:
    if content.get("digest") != digest:
        raise UserError(
            f"{path} must be of budget {digest}, got {str(content.get('digest'))[:40]}; name another folder by --run"
        )
