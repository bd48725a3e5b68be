"""`qdllm serve`: a trained student behind HTTP, with a page to try it.

In: a student folder.  Out: serve (a click command).  Imports: starlette, uvicorn when it runs; jax for a circuit of the
user's own, never torch.
"""

import signal
import sys
import time
from pathlib import Path

import click

from pipeline.commands.least_confidence import choose_confidence, take_confidence
from teacher_cache.errors import UserError

LOOPBACK = "127.0.0.1"


@click.command()
@click.option("--student", type=click.Path(path_type=Path), required=True, help="A folder students/{task}/{teacher}.")
@click.option("--circuit", type=click.Path(path_type=Path), help="The file of a circuit of your own.")
@take_confidence
@click.option("--error", type=float, help="The most that a probability may be off, certified, for a faster answer.")
@click.option("--host", default=LOOPBACK, show_default=True, help="The address to listen on; 0.0.0.0 is everyone's.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes a free one.")
@click.option("--max-bytes", type=click.IntRange(min=1), default=2**20, show_default=True, help="Of a request's body.")
@click.option("--max-texts", type=click.IntRange(min=1), default=256, show_default=True, help="In a request.")
@click.option("--max-characters", type=click.IntRange(min=1), default=20_000, show_default=True, help="In a text.")
@click.option("--max-waiting", type=click.IntRange(min=1), default=64, show_default=True, help="Requests in the queue.")
@click.option(
    "--max-seconds", type=click.FloatRange(min=0.1), default=10, show_default=True, help="To send a request in."
)
@click.option(
    "--compiled",
    type=click.Path(path_type=Path),
    default=Path("work/compiled"),
    show_default=True,
    help="Where a circuit of your own is kept, compiled, for the next start.",
)
def serve(
    student: Path,
    circuit: Path | None,
    confidence: float | None,
    accuracy: float | None,
    error: float | None,
    host: str,
    port: int,
    compiled: Path,
    **limits: float,
) -> None:
    """Answer requests with a student: POST /predict, GET /health, and a page to try it at /.

    Ends on SIGTERM or Ctrl-C after the requests that have begun. There is no password: listen on 127.0.0.1, or put a
    server in front that has one.
    """
    started = time.monotonic()
    try:
        from pipeline.service import server
        from pipeline.service.app import build_app
    except ModuleNotFoundError as missing:
        raise UserError(f"qdllm serve needs {missing.name}: pip install 'qdllm[serve]'") from None
    from pipeline.service.limits import Limits
    from student_jax.checkpoint import load_checkpoint
    from student_jax.data.embedder import read_config

    signal.signal(signal.SIGTERM, server.stop_early)
    read_config(student)  # a wrong folder is refused before a port is taken
    least = choose_confidence(load_checkpoint(student, circuit).description.calibration, confidence, accuracy)
    chosen = Limits(**limits)  # type: ignore[arg-type]
    with server.open_socket(host, port) as listener:
        server.return_memory()
        app = build_app(server.warm_up(student, compiled, circuit, error), chosen, least)
        place = f"[{host}]" if ":" in host else host
        seconds = time.monotonic() - started
        click.echo(f"{student} answers at http://{place}:{listener.getsockname()[1]} (ready after {seconds:.1f} s)")
        sys.stdout.flush()
        server.serve(app, listener, chosen)
    click.echo("stopped")
