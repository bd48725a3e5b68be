"""Commands in processes forked from one that has imported the libraries: importing is most of what a short one costs.

In: an environment.  Out: lend_forks(), SHARED; and as a module, the process that forks.  Imports: the standard library,
and LIBRARIES for the processes to come.
Nothing of ours is imported before the fork: a project runs its own code. Where a process of its own is the point (what
is killed, what hides libraries in another way, the making of the project itself) no forks are lent.
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import selectors
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

# What the student's half and DVC import, and the teacher's, which a member does not have.
LIBRARIES = (
    *("click", "numpy", "psutil", "pyarrow.dataset", "pyarrow.parquet", "rich.console", "ruamel.yaml", "tqdm"),
    *("pydantic.json_schema", "pydantic.main", "pydantic.type_adapter", "safetensors.numpy", "tokenizers"),
    *(
        "dvc.cli.parser",
        "dvc.commands.repro",
        "dvc.repo.reproduce",
        "dvc.repo.status",
        "dvc.repo.fetch",
        "dvc.repo.push",
    ),
    *("networkx", "scmrepo.git", "flufl.lock", "dvc_data.hashfile.build"),
    *("jax", "optax", "jaxtyping", "scipy.sparse", "sklearn.decomposition", "jinja2", "matplotlib.figure"),
)
TEACHERS_LIBRARIES = ("torch", "transformers", "transformers.models.llama.modeling_llama", "peft")
TEACHERS_STAGES = {f"pipeline.stages.{name}" for name in ("base", "finetune", "cache_teacher")}
PYTHON = Path(sys.executable)
# Every PYTHONPATH of so many commands that a process which forks for them is worth its start.
SHARED = {os.environ.get("PYTHONPATH")}

# Passes on what it was called with, and ends as the forked process does.
CLIENT = """#!{python} -IS
import json, os, signal, socket, sys
folder, name = os.path.split(os.path.abspath(__file__))
if name == "python" and sys.argv[1:2] != ["-m"]:
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
with socket.socket(socket.AF_UNIX) as server:
    server.connect(folder + "/socket")
    socket.send_fds(server, [b"!"], [0, 1, 2])
    server.sendall(json.dumps([name, sys.argv[1:], os.getcwd(), dict(os.environ)]).encode())
    server.shutdown(socket.SHUT_WR)
    code = int(server.makefile().read())
if code < 0:
    signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
sys.exit(code)
"""


def lend_forks(environment: Mapping[str, str]) -> Mapping[str, str]:
    """`environment` with programs first in its PATH that have themselves forked, where its PYTHONPATH is SHARED."""
    if environment.get("PYTHONPATH") not in SHARED:
        return environment
    return {**environment, "PATH": f"{start_server(environment.get('PYTHONPATH'))}:{environment['PATH']}"}


@cache
def start_server(pythonpath: str | None) -> Path:
    """Start the process that forks; returns the folder of the programs that ask it to."""
    folder = Path(tempfile.mkdtemp(prefix="forks"))
    for name in ("qdllm", "dvc", "python"):
        (folder / name).write_text(CLIENT.format(python=sys.executable))
        (folder / name).chmod(0o755)
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.pipeline.forks", str(folder)],
        cwd=Path(__file__).parents[2],
        env={**os.environ, **({} if pythonpath is None else {"PYTHONPATH": pythonpath})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # where JAX warns whoever forks
    )
    atexit.register(server.communicate)
    server.stdout.readline()  # it listens
    return folder


def serve(folder: Path) -> tuple[str, list[str]]:
    """Fork for everyone who asks, until stdin ends; returns in forked processes alone, with what each has to run."""
    listener, selector = socket.socket(socket.AF_UNIX), selectors.DefaultSelector()
    listener.bind(str(folder / "socket"))
    listener.listen(64)
    import_libraries(LIBRARIES)
    print("listening", flush=True)
    selector.register(listener, selectors.EVENT_READ)
    selector.register(sys.stdin, selectors.EVENT_READ)
    while all(key.fileobj is listener for key, _ in selector.select()):
        connection, _ = listener.accept()
        _, streams, _, _ = socket.recv_fds(connection, 1, 3)
        name, arguments, place, environment = json.loads(connection.makefile().read())
        if TEACHERS_STAGES & set(arguments):
            import_libraries(TEACHERS_LIBRARIES)
        # Of two processes one waits for the other, and tells the client how it ended.
        if os.fork() == 0:
            child = os.fork()
            if child == 0:
                for resource in (listener, selector, connection):
                    resource.close()
                take_place(streams, place, environment)
                sys.executable = str(folder / "python")  # what starts DVC from Python asks for a fork, too
                return name, arguments
            _, status = os.waitpid(child, 0)
            connection.sendall(b"%d" % os.waitstatus_to_exitcode(status))
            os._exit(0)
        connection.close()
        for stream in streams:
            os.close(stream)
        with contextlib.suppress(ChildProcessError):  # all have ended
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
    os._exit(0)


def import_libraries(names: Sequence[str]) -> None:
    """Import what is not hidden, and let no collection of a forked process copy its pages."""
    for name in names:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.freeze()


def take_place(streams: Sequence[int], place: str, environment: Mapping[str, str]) -> None:
    """Be where the client is, with its streams."""
    for target, stream in enumerate(streams):
        os.dup2(stream, target)
        os.close(stream)
    os.chdir(place)
    os.environ.clear()
    os.environ.update(environment)


def run(name: str, arguments: list[str]) -> None:
    """As the interpreter would: the folder of the code first in its path, a module by name or a program by its file."""
    if name == "python":
        sys.path[0], sys.argv = os.getcwd(), arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        program = PYTHON.with_name(name)
        sys.path[0], sys.argv = str(program.parent), [str(program), *arguments]
        runpy.run_path(str(program), run_name="__main__")


def main() -> None:
    job, code = serve(Path(sys.argv[1])), 0
    try:
        run(*job)
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BaseException:  # what the interpreter prints and makes 1 of
        sys.excepthook(*sys.exc_info())
        code = 1
    # As the interpreter ends, but for taking every library apart, which costs as much as a short command.
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
