"""Captures in processes of their own, started warm: to be killed, starved and raced.

In: a function that is imported by name.  Out: Worker, Verdict, run_worker(), start_ranks().  Imports: the teacher,
multiprocessing.

Importing torch and transformers takes seconds, and a kill during it would prove nothing. So one server process imports
this module, computes nothing, and every capture is a fork of it: a process of its own that begins at once.
"""

import multiprocessing
import os
import socket
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Literal

import transformers.models.llama.modeling_llama  # noqa: F401  what from_pretrained would otherwise import in each fork
from tqdm import tqdm

from pipeline.entry import USER_ERRORS
from teacher_cache.teacher.capture import job as _capture  # noqa: F401

TIMEOUT_SECONDS = 120.0
# Its own lock is a semaphore of the system, and every killed worker would leave one behind.
tqdm.set_lock(threading.RLock())
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload([__name__])


@dataclass(frozen=True)
class Verdict:
    """How a worker ended: what it said and how long it worked."""

    kind: Literal["done", "refused", "failed", "killed"]
    message: str
    seconds: float


class Worker:
    """`function(*arguments)` at work in a process of its own."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._receiver, sender = _CONTEXT.Pipe(duplex=False)
        self.process = _CONTEXT.Process(target=_work, args=(sender, function, arguments), daemon=True)
        self.process.start()
        sender.close()
        self._receiver.recv()  # it begins now
        self.began = time.monotonic()

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()

    def wait(self) -> Verdict:
        """Wait for the end; a worker that takes longer than TIMEOUT_SECONDS hangs, and is killed."""
        self.process.join(TIMEOUT_SECONDS)
        hangs = self.process.is_alive()
        self.process.kill()
        self.process.join()
        seconds = time.monotonic() - self.began
        if hangs:
            return Verdict("failed", f"still at work after {TIMEOUT_SECONDS} s", seconds)
        try:
            return Verdict(*self._receiver.recv())
        except EOFError:
            return Verdict("killed", f"exit code {self.process.exitcode}", seconds)
        finally:
            self._receiver.close()


def run_worker(function: Callable[..., Any], *arguments: Any) -> Verdict:
    """Start `function(*arguments)` in a worker and wait for its end."""
    return Worker(function, *arguments).wait()


def start_ranks(processes: int, function: Callable[..., Any], *arguments: Any, **settings: str) -> list[Worker]:
    """`function(*arguments)` in each process of a launch, as torchrun would start them; `settings` are environment."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        launch = {"WORLD_SIZE": str(processes), "MASTER_ADDR": "localhost", "MASTER_PORT": str(free.getsockname()[1])}
    return [Worker(_work_as_rank, rank, {**launch, **settings}, function, arguments) for rank in range(processes)]


def _work_as_rank(rank: int, launch: dict[str, str], function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    os.environ.update(launch, RANK=str(rank), LOCAL_RANK=str(rank))
    function(*arguments)


def _work(sender: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
    sender.send("begin")
    began = time.monotonic()
    try:
        function(*arguments)
        kind, message = "done", ""
    except USER_ERRORS as error:
        kind, message = "refused", " ".join(str(error).split())
    except Exception:
        kind, message = "failed", traceback.format_exc()
    sender.send((kind, message, time.monotonic() - began))
