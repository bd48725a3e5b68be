"""A capture that is killed, raced by a second writer, or spread over processes.

In: the ground, a number of trials.  Out: a Row of each fault.  Imports: the teacher, psutil.
"""

import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import psutil

from teacher_cache.teacher.capture.job import capture
from tests.faults.outcomes import Row
from tests.faults.subject import Ground, Subject, find_finished, judge_resumption, read_bytes, tune, wait_for_parts
from tests.faults.workers import TIMEOUT_SECONDS, Worker, run_worker, start_ranks

ROOT = Path(__file__).parents[2]


def kill_captures(ground: Ground, trials: int) -> Row:
    """SIGKILL at a random moment after no, few, many, all parts are finished, evenly spread; then a second run."""
    row, subject = Row("`kill -9` at a random moment of a capture, then run again"), ground.subject
    moments, parts, seconds = random.Random(0), [], []
    while row.trials < trials:
        place = ground.folder / f"kill-{row.trials}"
        job = (capture, subject.request, place / "work", place / "cache")
        worker = Worker(*job)
        wait_for_parts(worker, place / "work", row.trials * len(subject.bytes) // trials)
        time.sleep(moments.uniform(0, subject.seconds / 4))
        worker.kill()
        if worker.wait().kind == "killed":  # else it was done before
            kept = find_finished(place / "work")
            verdict = run_worker(*job)
            row.add(*judge_resumption(subject, place, kept, verdict))
            parts.append(len(kept))
            seconds.append(verdict.seconds)
        shutil.rmtree(place, ignore_errors=True)
    row.detail = (
        f"killed with {min(parts)} to {max(parts)} of {len(subject.bytes) - 1} parts finished; recovery in "
        f"{median(seconds):.1f} s (longest {max(seconds):.1f} s), an undisturbed run takes {subject.seconds:.1f} s"
    )
    return row


def kill_finetunes(ground: Ground, trials: int) -> Row:
    """SIGKILL at a random moment of a fine-tuning; then a second run."""
    row, inputs = Row("`kill -9` at a random moment of a fine-tuning, then run again"), ground.subject.cache.parent
    moments, seconds = random.Random(1), []
    undisturbed = run_worker(
        tune, inputs, 1, ground.folder / "tune" / "work" / "job", ground.folder / "tune" / "adapter"
    )
    while row.trials < trials:
        place = ground.folder / f"tune-{row.trials}"
        job = (tune, inputs, 1, place / "work" / "job", place / "adapter")
        worker = Worker(*job)
        time.sleep(moments.uniform(0, undisturbed.seconds))
        worker.kill()
        if worker.wait().kind == "killed":
            kept = _find_epochs(place)
            verdict = run_worker(*job)
            again = [path for path, made in kept.items() if path.exists() and path.stat().st_mtime_ns != made]
            if verdict.kind != "done" or again:
                row.add("failed", verdict.message or f"computed again: {again}")
            else:
                same = read_bytes(place / "adapter") == read_bytes(inputs / "adapter")
                row.add("correct" if same else "silent", "another adapter")
            seconds.append(verdict.seconds)
        shutil.rmtree(place, ignore_errors=True)
    row.detail = (
        f"recovery in {median(seconds):.1f} s (longest {max(seconds):.1f} s), "
        f"an undisturbed run takes {undisturbed.seconds:.1f} s"
    )
    return row


def race_writers(ground: Ground, trials: int) -> Row:
    """A second writer that starts while the first is at work."""
    row, subject = Row("two writers of one cache at once"), ground.subject
    delays = random.Random(2)
    for trial in range(trials):
        place = ground.folder / f"race-{trial}"
        job = (capture, subject.request, place / "work", place / "cache")
        first = Worker(*job)
        time.sleep(delays.uniform(0, subject.seconds / 2))
        second = Worker(*job)
        pids = [first.process.pid, second.process.pid]
        verdicts = [first.wait(), second.wait()]
        kinds = [verdict.kind for verdict in verdicts]
        outcome = judge_resumption(
            subject, place, {}, verdicts[kinds.index("done")] if "done" in kinds else verdicts[0]
        )
        if outcome[0] == "correct" and "refused" in kinds:
            loser = kinds.index("refused")
            named = f"written by process {pids[1 - loser]} on " in verdicts[loser].message
            outcome = ("refused", "") if named else ("failed", verdicts[loser].message)
        row.add(*outcome)
        shutil.rmtree(place)
    row.detail = "the other one ends undisturbed; the line names its process and host"
    return row


def kill_ranks(ground: Ground, trials: int) -> Row:
    """SIGKILL of one of two processes under torchrun (gloo); then a run of one process."""
    row, subject = Row("`kill -9` of one of two ranks, then run again with one"), ground.subject
    parts = []
    while row.trials < trials:
        place = ground.folder / f"rank-{row.trials}"
        launch = _launch(subject, place)
        _wait_until(lambda place=place: len(find_finished(place / "work")) > 2, launch)
        rank = next(
            child
            for child in psutil.Process(launch.pid).children()
            if child.environ().get("RANK") == str(row.trials % 2)
        )
        rank.kill()
        _, errors = launch.communicate(timeout=TIMEOUT_SECONDS)
        kept = find_finished(place / "work")
        if (place / "cache").exists() and launch.returncode:
            row.add("failed", f"the launch failed, yet it published: {errors[-300:]}")
        elif launch.returncode:  # else it was done before
            verdict = run_worker(capture, subject.request, place / "work", place / "cache")
            row.add(*judge_resumption(subject, place, kept, verdict))
            parts.append(len(kept))
        shutil.rmtree(place)
    row.detail = f"the launch fails; {parts} parts were finished by then, and kept"
    return row


def spread_over_processes(ground: Ground, trials: int) -> Row:
    """The whole capture by two processes (gloo), by three in the second trial, and so on."""
    row, subject = Row("a capture by 2, then by 3 processes"), ground.subject
    for processes in range(2, 2 + trials):
        place = ground.folder / f"processes-{processes}"
        ranks = start_ranks(processes, capture, subject.request, place / "work", place / "cache")
        verdicts = [rank.wait() for rank in ranks]
        worst = next((verdict for verdict in verdicts if verdict.kind != "done"), verdicts[0])
        row.add(*judge_resumption(subject, place, {}, worst))
        shutil.rmtree(place)
    row.detail = "the bytes of one process"
    return row


def _find_epochs(place: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in place.glob("work/job/*/epoch-*/model.safetensors")}


def _launch(subject: Subject, place: Path) -> "subprocess.Popen[str]":
    request = subject.request
    paths = [request.examples, request.base, request.adapter, place / "work", place / "cache"]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    command += ["-m", "tests.faults.run_capture", request.task, request.teacher, *map(str, paths)]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True)


def _wait_until(true: Callable[[], bool], launch: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not true() and launch.poll() is None:
        if time.monotonic() > deadline:
            launch.send_signal(signal.SIGKILL)
            raise TimeoutError("no part was finished in time")
        time.sleep(0.002)
