"""DVC as a command: one, or several `dvc repro` at once, each with stages of its own, as DVC runs a stage at a time.

In: chains of stages by name, how many at once.  Out: run_dvc(), run_chains().  Imports: click; DVC as a command.
"""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

import click

from teacher_cache.errors import UserError


def run_dvc(*arguments: str, quiet: bool = False) -> None:
    """Run `dvc` with this Python.

    Args:
        arguments: of `dvc`.
        quiet: show what it and its stages print only where it fails.

    Raises:
        UserError: it failed; its own lines say why.
    """
    sys.stdout.flush()
    done = subprocess.run(_call(arguments), env=_make_environment(), check=False, capture_output=quiet, text=True)
    if done.returncode:
        click.echo(f"{done.stdout or ''}{done.stderr or ''}", err=True, nl=False)
        raise UserError(f"`dvc {' '.join(arguments)}` failed, its lines above say why; finished stages are kept")


def run_chains(chains: Mapping[str, Sequence[str]], jobs: int) -> None:
    """Run stages that need no other chain's, each chain in its order; a line that is printed begins with its name.

    Each job has cores of its own: what shares one waits for the other longer than it works.

    Args:
        chains: stages by name, as DVC writes them, in the order in which chains begin.
        jobs: how many chains run at once.

    Raises:
        UserError: a stage failed. What runs beside it goes on to the end of its chain, no other begins.
    """
    cores = sorted(os.sched_getaffinity(0))
    free: SimpleQueue[list[int]] = SimpleQueue()
    for job in range(jobs):
        free.put(cores[job % len(cores) :: jobs] or cores)
    width, failed = max(map(len, chains), default=0), list[str]()
    running: dict[str, subprocess.Popen[str]] = {}

    def run_chain(name: str) -> None:
        if failed:
            return
        own, command = free.get(), ["--wait-for-lock", "repro", "--single-item", *chains[name]]
        try:
            with subprocess.Popen(
                _call(command), env=_make_environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            ) as process:
                running[name] = process
                os.sched_setaffinity(process.pid, own)  # before it has threads, which take over what it has
                for line in process.stdout or ():
                    click.echo(f"{name:<{width}}  {line}", nl=False)
        finally:
            free.put(own)
        if process.returncode:
            failed.append(name)

    pool = ThreadPoolExecutor(jobs)
    try:
        list(pool.map(run_chain, chains))
    finally:  # an interrupt may have reached this process alone; a stage ends with its DVC
        pool.shutdown(wait=False, cancel_futures=True)
        for process in running.values():
            process.terminate()
        pool.shutdown()
    if failed:
        raise UserError(f"stages of {', '.join(failed)} failed, their lines above say why; finished stages are kept")


def _call(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "dvc", *arguments]


def _make_environment() -> dict[str, str]:
    """Stages call `python`; without an activated environment that would be another one, or none."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
