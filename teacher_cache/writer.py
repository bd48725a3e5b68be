"""Writing a teacher cache: staging, parts, publishing.

In: rows, a part at a time.  Out: Job, Staging.  Imports: pyarrow, the standard library.

    work/{job's fingerprint}/parts/part-00000.parquet    a finished part
    work/{job's fingerprint}/done/part-00000.json        its rows, bytes and SHA-256, written after it

A run that was killed leaves whole parts behind, and the next run of the same job computes the others only. Staging
outlives publishing, because a kill between publishing and DVC's commit makes DVC remove what was published; the next
job of the same cache removes it.
"""

import json
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from teacher_cache.errors import UserError
from teacher_cache.manifest import (
    FORMAT,
    MAX_LEFT_OUT,
    MAX_PART_BYTES,
    Manifest,
    Part,
    hash_file,
    part_name,
    write_manifest,
)
from teacher_cache.publish import publish_file, publish_folder, try_lock, write_json
from teacher_cache.schema import cache_schema
from teacher_cache.sealed import fingerprint


@dataclass(frozen=True)
class Job:
    """What a capture is to make; everything here can change a number and is the cache's identity.

    `rows` is the number of rows, `hidden` the number of float16 values of hidden states per row; `left_out` names the
    examples that have no row, as Manifest does.
    """

    task: str
    teacher: str
    labels: tuple[str, ...]
    rows: int
    rows_per_part: int
    hidden: int
    identity: Mapping[str, Any]
    left_out: tuple[str, ...] = ()

    @property
    def parts(self) -> int:
        """The number of parts."""
        return -(-self.rows // self.rows_per_part)

    def rows_of(self, index: int) -> int:
        """The number of rows of part `index`: rows_per_part, or what is left for the last one."""
        return min(self.rows_per_part, self.rows - index * self.rows_per_part)


class Staging:
    """The parts of one job that are finished so far, in `work`."""

    def __init__(self, job: Job, work: Path, makers: Mapping[str, str]) -> None:
        """Open the job's staging folder under `work`, or make it.

        Args:
            job: what is to be made.
            work: the folder that holds this cache's stagings, one for each job.
            makers: fingerprints of the code and versions of the libraries that compute the numbers: parts that
                others made are not reused, though the finished cache does not name them as identity.
        """
        self.job = job
        self.folder = work / fingerprint({"format": FORMAT, "job": asdict(job), "makers": dict(makers)})[:32]
        (self.folder / "parts").mkdir(parents=True, exist_ok=True)
        (self.folder / "done").mkdir(exist_ok=True)

    def find_missing(self) -> list[int]:
        """The indices of the parts that are still to be computed; what is damaged is among them."""
        return [index for index in range(self.job.parts) if not self.has_part(index)]

    def has_part(self, index: int) -> bool:
        """Whether part `index` is finished and whole."""
        return self._finished(index) is not None

    def write_part(self, index: int, columns: Mapping[str, pa.Array]) -> Part:
        """Publish part `index` with `columns`, one array for each column of the cache's schema.

        Raises:
            OSError: the disk is full or read-only; parts that are finished stay.
        """
        table = pa.table(dict(columns), schema=cache_schema(len(self.job.labels), self.job.hidden))
        if table.num_rows != self.job.rows_of(index):
            raise ValueError(f"part {index} must have {self.job.rows_of(index)} rows, got {table.num_rows}")
        if table.nbytes > MAX_PART_BYTES:
            raise UserError(f"a part must have at most {MAX_PART_BYTES} bytes, got {table.nbytes}; lower rows_per_part")
        path = self._part(index)
        with publish_file(path) as temporary:
            pq.write_table(table, temporary, compression="zstd", use_dictionary=["split"], write_page_checksum=True)
        part = Part(path.name, table.num_rows, path.stat().st_size, hash_file(path))
        write_json(self._done(index), asdict(part))
        return part

    def iter_parts(self) -> Iterator[pa.Table]:
        """Yield the tables of the finished parts in order."""
        for index in range(self.job.parts):
            yield pq.read_table(self._part(index), page_checksum_verification=True)

    def publish(
        self, folder: Path, quality: Mapping[str, Mapping[str, float]], versions: Mapping[str, str]
    ) -> Manifest:
        """Make `folder` the finished cache in one rename, its manifest written last.

        Raises:
            UserError: a part is missing or damaged, or more examples are left out than a manifest can name.
        """
        if len(self.job.left_out) > MAX_LEFT_OUT:
            raise UserError(f"at most {MAX_LEFT_OUT} examples can be left out, got {len(self.job.left_out)}")
        parts = [self._finished(index) for index in range(self.job.parts)]
        if None in parts:
            raise UserError(f"{self.folder}: part {parts.index(None)} is missing; run the stage again")
        manifest = Manifest(
            format=FORMAT,
            **{name: getattr(self.job, name) for name in Job.__dataclass_fields__},
            quality=quality,
            versions=versions,
            parts=tuple(part for part in parts if part is not None),
        )
        with publish_folder(folder) as temporary:
            for index in range(self.job.parts):
                link_or_copy(self._part(index), temporary / part_name(index))
            write_manifest(manifest, temporary)
        return manifest

    def _part(self, index: int) -> Path:
        return self.folder / "parts" / part_name(index)

    def _done(self, index: int) -> Path:
        return self.folder / "done" / f"{self._part(index).stem}.json"

    def _finished(self, index: int) -> Part | None:
        path = self._part(index)
        try:
            part = Part(**json.loads(self._done(index).read_bytes()))
            whole = part.name == path.name and part.rows == self.job.rows_of(index) and hash_file(path) == part.sha256
        except (OSError, ValueError, TypeError):
            return None
        return part if whole else None


def link_or_copy(source: Path, target: Path) -> None:
    """Make `target` the same file as `source`, or a copy where the file system cannot link."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


@contextmanager
def lock_job(work: Path) -> Iterator[None]:
    """Hold the one writer's lock of `work` until the block ends or the process dies.

    Raises:
        UserError: another process holds it; its process id and host are named. Or there are no locks.
    """
    work.mkdir(parents=True, exist_ok=True)
    with (work / "writer.lock").open("a+") as file:
        if not try_lock(file):
            file.seek(0)
            raise UserError(
                f"{work} is being written by {file.read().strip() or 'another process'}; wait for it, or end it"
            )
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        yield


def remove_leftovers(staging: Staging, folder: Path) -> None:
    """Remove what earlier jobs and killed runs of the cache in `folder` left behind; call it under the lock."""
    others = [path for path in staging.folder.parent.iterdir() if path.is_dir() and path != staging.folder]
    for path in [*others, *staging.folder.glob("*/.*"), *folder.parent.glob(f".{folder.name}.*")]:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
