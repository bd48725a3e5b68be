"""The process that serves: warmed up, patient with clients up to a limit, stopped by a signal without losing requests.

In: an ASGI application, a bound socket.  Out: serve(), stop_early(), open_socket(), warm_up(), return_memory().
Imports: uvicorn; jax for a circuit of the user's own.
"""

import asyncio
import ctypes
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from pipeline.encoder import find_encoder
from pipeline.service.limits import Limits
from pipeline.service.request_queue import PASS_TEXTS
from teacher_cache.errors import UserError

if TYPE_CHECKING:
    from student_jax.student import Student

MAX_CONNECTIONS = 256
# From a request's head to the last byte of its answer; whoever does not read it is cut off.
MAX_ANSWER_SECONDS = 60.0
STOP_SECONDS = 30
M_MMAP_THRESHOLD = -3  # of glibc's malloc.h


def open_socket(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one.

    Raises:
        UserError: no such address here, or the port is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=MAX_CONNECTIONS)
    except OSError as error:
        raise UserError(f"--host and --port must be free to listen on, got {host} {port}: {error.strerror}") from None


def return_memory() -> None:
    """From now on, have glibc give what is large, such as requests, back to the system, in place of keeping it."""
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mallopt(M_MMAP_THRESHOLD, 2**18)


def warm_up(folder: Path, compiled: Path, circuit: Path | None, error: float | None) -> "Student":
    """The student of `folder`, which has answered once for every size of a batch that may be compiled.

    Args:
        folder: the student's.
        compiled: where the programs of a circuit of the user's own are kept.
        circuit: the file of a circuit of the user's own.
        error: the most that a probability may be off.

    Raises:
        UserError: there is no such student, or it is damaged, or `error` cannot be had.
    """
    from student_jax.student import Student

    if circuit is not None:
        from student_jax.compilation import keep_compiled

        keep_compiled(compiled)
    student = Student.load(folder, encoder=find_encoder, circuit=circuit, error=error)
    for power in range(PASS_TEXTS.bit_length()):
        student.predict(["a"] * 2**power)
    return student


def serve(app: Any, listener: socket.socket, limits: Limits) -> None:
    """Answer until SIGTERM or SIGINT, then finish what has begun."""

    class Protocol(ImpatientProtocol):
        head_seconds = limits.max_seconds

    config = uvicorn.Config(
        app,
        http=Protocol,
        ws="none",
        log_config=None,
        log_level="error",  # anyone can cause a warning
        access_log=False,
        server_header=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    server = uvicorn.Server(config)

    def stop(*_: object) -> None:
        # uvicorn stops in order, and then raises the signal again for whoever handled it before: nobody has to.
        if not server.should_exit:
            raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    signal.set_wakeup_fd(-1)  # from here on an interrupt may take its time
    server.run(sockets=[listener])


def stop_early(*_: object) -> None:
    """End at SIGTERM as at Ctrl-C while the service is not ready: with a line, and with no compiler left behind."""
    raise KeyboardInterrupt


class ImpatientProtocol(H11Protocol):
    """HTTP/1.1 with deadlines: uvicorn itself waits for ever where a head trickles, or nobody reads the answer."""

    head_seconds: float
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a head."""
        super().connection_made(transport)
        self._allow(self.head_seconds)

    def data_received(self, data: bytes) -> None:
        """Where a head has come whole, allow time for the answer."""
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._allow(MAX_ANSWER_SECONDS)

    def on_response_complete(self) -> None:
        """Wait for the next head, unless it was here already."""
        before = self.cycle
        super().on_response_complete()
        self._allow(self.head_seconds if self.cycle is before else MAX_ANSWER_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadline."""
        super().connection_lost(exc)
        if self._deadline is not None:
            self._deadline.cancel()

    def _allow(self, seconds: float) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(seconds, self.transport.abort)
