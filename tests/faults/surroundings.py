"""A full disk, a read-only folder, inputs that vanish.

In: the ground, a number of trials.  Out: a Row of each fault.  Imports: the teacher.

Disks are made full and read-only by mounts, since permissions do not bind root; where nothing can be mounted, the fault
is not run, and says so.
"""

import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from teacher_cache.teacher.capture.job import capture
from tests.faults.outcomes import Outcome, Row
from tests.faults.subject import Ground, find_finished, judge_resumption, read_bytes, tune, wait_for_parts
from tests.faults.workers import Worker, run_worker

LARGE = 1 << 26
BLOCK = 4096


def fill_disk(ground: Ground, trials: int) -> Row:
    """A capture on a disk that is too small by one block or by many; then a second run on one that is not."""
    subject, place = ground.subject, ground.folder / "disk"
    job = (capture, subject.request, place / "work", place / "cache")

    def resume() -> tuple[Outcome, str]:
        kept = find_finished(place / "work")
        return judge_resumption(subject, place, kept, run_worker(*job))

    return _starve(Row("a full disk in a capture, then run again with room"), place, trials, job, resume)


def fill_disk_in_finetune(ground: Ground, trials: int) -> Row:
    """The same of a fine-tuning."""
    inputs, place = ground.subject.cache.parent, ground.folder / "disk"
    job = (tune, inputs, 1, place / "work" / "job", place / "adapter")

    def resume() -> tuple[Outcome, str]:
        verdict = run_worker(*job)
        if verdict.kind != "done":
            return "failed", verdict.message
        same = read_bytes(place / "adapter") == read_bytes(inputs / "adapter")
        return "correct" if same else "silent", "another adapter"

    return _starve(Row("a full disk in a fine-tuning, then run again with room"), place, trials, job, resume)


def _starve(row: Row, place: Path, trials: int, job: tuple[Any, ...], resume: Callable[[], tuple[Outcome, str]]) -> Row:
    """Run `job`, whose last argument is what it publishes, in `place` on small disks, and `resume` it on large ones."""
    if reason := _find_obstacle(place.parent):
        row.not_run = reason
        return row
    sizes = random.Random(3)
    with _small_disk(place, LARGE):
        run_worker(*job)
        status = os.statvfs(place)
        needed = (status.f_blocks - status.f_bfree) * status.f_frsize
    for trial in range(trials):
        size = needed - BLOCK * sizes.randint(1, needed // BLOCK - 2) if trial else needed - BLOCK
        with _small_disk(place, size):
            verdict = run_worker(*job)
            refused = verdict.kind == "refused" and "No space left" in verdict.message and not job[-1].exists()
            if not refused and verdict.kind != "done":
                row.add("failed", f"{size} bytes: {verdict.message}")
                continue
            _mount("-o", f"remount,size={LARGE}", str(place))
            outcome, complaint = resume()
            row.add("refused" if refused and outcome == "correct" else outcome, complaint)
    row.detail = f"{needed // 1024} KiB are needed; what is finished stays, and the second run is right"
    return row


def write_read_only(ground: Ground, trials: int) -> Row:
    """A capture, killed, whose folders become read-only; in turn the staging and the place of the cache."""
    row, subject, moments = Row("a read-only folder, then run again"), ground.subject, random.Random(4)
    if reason := _find_obstacle(ground.folder):
        row.not_run = reason
        return row
    for trial in range(trials):
        place = ground.folder / f"read-only-{trial}"
        folder = place / ("work", "")[trial % 2]
        folder.mkdir(parents=True)
        job = (capture, subject.request, place / "work", place / "cache")
        worker = Worker(*job)
        wait_for_parts(worker, place / "work", moments.randrange(len(subject.bytes)))
        worker.kill()
        worker.wait()
        kept, before = find_finished(place / "work"), read_bytes(place / "cache")
        with _read_only(folder):
            verdict = run_worker(*job)
        if verdict.kind != "refused" or read_bytes(place / "cache") != before:
            row.add("failed", verdict.message)
        else:
            outcome, complaint = judge_resumption(subject, place, kept, run_worker(*job))
            row.add("refused" if outcome == "correct" else outcome, complaint)
        shutil.rmtree(place)
    row.detail = "what was there stays as it was; the second run is right"
    return row


def remove_inputs(ground: Ground, trials: int) -> Row:
    """One input of a capture after the other vanishes, before it begins or in its midst; then a second run with it."""
    row, subject, moments = Row("an input that vanishes, then run again with it"), ground.subject, random.Random(5)
    names = sorted(
        str(path.relative_to(subject.cache.parent))
        for path in (subject.request.examples, *subject.request.base.iterdir(), *subject.request.adapter.iterdir())
    )
    for trial in range(trials):
        place, name = ground.folder / f"vanish-{trial}", names[trial % len(names)]
        request = subject.copy_inputs(place / "inputs")
        job = (capture, request, place / "work", place / "cache")
        target, aside = place / "inputs" / name, place / "aside"
        if trial < len(names):
            target.rename(aside)
            worker = Worker(*job)
        else:
            worker = Worker(*job)
            time.sleep(moments.uniform(0, subject.seconds))
            target.rename(aside)
        verdict = worker.wait()
        aside.rename(target)
        if verdict.kind not in ("done", "refused"):
            row.add("failed", f"{name}: {verdict.message}")
        else:
            kept = find_finished(place / "work")
            outcome, complaint = judge_resumption(subject, place, kept, run_worker(*job))
            row.add(
                "refused" if outcome == "correct" and verdict.kind == "refused" else outcome, f"{name}: {complaint}"
            )
        shutil.rmtree(place)
    row.detail = f"each of {len(names)} files before the run, then at a random moment of it"
    return row


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True, text=True)


def _find_obstacle(folder: Path) -> str:
    """Why nothing can be mounted here, or an empty text."""
    try:
        with _small_disk(folder / "probe", LARGE):
            return ""
    except FileNotFoundError:
        return "there is no mount command"
    except subprocess.CalledProcessError as error:
        return " ".join(error.stderr.split())


@contextmanager
def _small_disk(folder: Path, size: int) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def _read_only(folder: Path) -> Iterator[None]:
    _mount("--bind", str(folder), str(folder))
    try:
        _mount("-o", "remount,bind,ro", str(folder))
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
