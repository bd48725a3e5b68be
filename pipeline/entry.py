"""How every command and stage starts and ends: one-line errors, exit codes, a record of time and memory.

In: a click command.  Out: run(), require(), PATH, USER_ERRORS, write_record(), measure_run(), is_main_process().
Imports: click, safetensors, psutil for a record; no torch, no jax.
"""

import logging
import multiprocessing
import os
import platform
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from io import TextIOWrapper
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click
from safetensors import SafetensorError

from pipeline.extras import name_extra
from pipeline.old_project import require_carried
from teacher_cache.errors import UserError
from teacher_cache.publish import write_json

# Exit codes: 0 done, 1 a fault of ours (with a traceback), 2 something the user can put right, 130 interrupted.
EXIT_USER = 2
# What is no fault of ours. Where a disk is full, safetensors has an exception of its own.
USER_ERRORS = (UserError, OSError, SafetensorError)
EXIT_INTERRUPTED = 130
PATIENCE_SECONDS = 3.0

# The student's stages and commands. pyarrow and scikit-learn import pandas wherever it is installed: half a second and
# 40 MB for nothing that these do.
WITHOUT_PANDAS = {
    *("train_student", "evaluate", "compare", "compare_texts", "report"),
    *("student", "results"),
}

# Few texts at a time are classified on one core: for their small products threads wait longer than they work.
ON_ONE_CORE = {"predict", "serve"}
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")

_CODE = ("pipeline", "student_jax", "teacher_cache", "dvc.yaml")
Function = TypeVar("Function", bound=Callable[..., None])

_RECORDED = ("torch", "transformers", "peft", "jax", "flax", "pennylane", "optax", "pyarrow", "scikit-learn")


def run(command: click.Command, name: str) -> None:
    """Run `command`, turning a UserError or a failing disk into one line on stderr and exit code 2.

    With the environment variable QDLLM_DEBUG set, or the option --debug on the command line, the traceback is shown.
    A stage keeps a copy of dvc.lock first, which DVC will write to when the stage is done; in a project of version 0.1
    it names `qdllm upgrade` and ends.
    """
    if callable(signal.getsignal(signal.SIGINT)):
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _end_after_interrupts(name)
    _configure_logging()
    _let_print()
    if name != "qdllm":
        _join_dvc()
    debug = "--debug" in sys.argv or bool(os.environ.get("QDLLM_DEBUG"))
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    if WITHOUT_PANDAS & {name, *arguments[:1]}:
        sys.meta_path.insert(0, _Absent())
    if ON_ONE_CORE & {*arguments[:1]}:
        for variable in _THREADS:  # before NumPy is imported
            os.environ.setdefault(variable, "1")
    try:
        # `qdllm --version` is what the first stage of a version 0.1 project runs: nothing is removed yet.
        if name != "qdllm" or arguments == ["--version"]:
            require_carried()
        sys.exit(command.main(arguments, prog_name=name, standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # who is impatient presses twice
        print(f"{name}: interrupted", file=sys.stderr)
        _end_at_once(EXIT_INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output has gone; nothing more can be said to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_USER)
    except ModuleNotFoundError as error:
        extra = name_extra(error.name)
        if debug or extra is None:
            raise
        print(f"{name}: this needs {error.name}: pip install 'qdllm[{extra}]'", file=sys.stderr)
        sys.exit(EXIT_USER)
    except USER_ERRORS as error:
        if debug:
            raise
        print(f"{name}: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(EXIT_USER)


def _join_dvc() -> None:
    """What a stage does before it begins: it will end with the DVC that runs it, and keeps a copy of dvc.lock."""
    from pipeline.lockfile import keep_copy
    from pipeline.orphans import end_with_dvc

    end_with_dvc()
    keep_copy()


def _let_print() -> None:
    """Whatever the locale's encoding cannot say is printed as its number, instead of ending a command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _end_after_interrupts(name: str) -> None:
    """From now on, an interrupt ends this process in PATIENCE_SECONDS at the latest.

    Until then blocks may remove what is half done. A compiler takes longer, and where it calls Python back an exception
    gets lost.
    """
    received, sent = os.pipe()
    os.set_blocking(sent, False)
    signal.set_wakeup_fd(sent, warn_on_full_buffer=False)

    def watch() -> None:
        while signal.SIGINT not in os.read(received, 64):
            pass
        time.sleep(PATIENCE_SECONDS)
        print(f"{name}: interrupted", file=sys.stderr)
        _end_at_once(EXIT_INTERRUPTED)

    threading.Thread(target=watch, name="interrupts", daemon=True).start()


def _end_at_once(code: int) -> NoReturn:
    """End without Python's own end, which takes memory away under threads that compile: a segmentation fault."""
    for child in multiprocessing.active_children():
        child.terminate()
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


class _Absent:
    """Makes importing pandas end as where it is not installed."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)


PATH = click.Path(path_type=Path)


def require(*names: str, kind: click.ParamType = click.STRING) -> Callable[[Function], Function]:
    """Decorate a stage with the required options --NAME, each of the type `kind`."""

    def decorate(function: Function) -> Function:
        for name in reversed(names):
            function = click.option(f"--{name}", type=kind, required=True)(function)
        return function

    return decorate


def _configure_logging() -> None:
    """Our own messages go to stderr as they are; other libraries speak up from warnings on."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    for package in ("pipeline", "student_jax", "teacher_cache"):
        logging.getLogger(package).setLevel(logging.INFO)


def is_main_process() -> bool:
    """Whether this process is the one of its launch (torchrun, accelerate) that publishes."""
    return os.environ.get("RANK", "0") == "0"


def write_record(path: Path, stage: str, details: Mapping[str, Any] | None = None, **names: str) -> None:
    """Write `measure_run` to `path`, a JSON file, with `details`: what else the report tells of this run, by name."""
    write_json(path, {**measure_run(stage, **names), **(details or {})})


def measure_run(stage: str, **names: str) -> dict[str, Any]:
    """What this process has cost so far, its start and imports included.

    Args:
        stage: the stage's name.
        **names: the stage's task and teacher, where it has them.
    """
    import psutil  # who classifies a text needs no record

    started = psutil.Process().create_time()
    return {
        "stage": stage,
        **names,
        "started": datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
        "seconds": round(time.time() - started, 3),
        "peak_memory_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "machine": {"system": platform.system(), "processor": platform.machine(), "cores": os.cpu_count() or 1},
        "versions": _read_versions(),
        "commit": _read_commit(),
    }


def _read_commit() -> str | None:
    """The commit of the project's code, marked where the code has changed since; None without Git or a repository."""
    if shutil.which("git") is None:
        return None
    root = Path(__file__).parents[1]
    found = [
        subprocess.run(["git", "-C", root, *command], capture_output=True, text=True, check=False)
        for command in (["rev-parse", "--short=12", "HEAD"], ["diff", "--quiet", "HEAD", "--", *_CODE])
    ]
    if found[0].returncode:
        return None
    return found[0].stdout.strip() + (" with changes" if found[1].returncode else "")


def _read_versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in _RECORDED:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
