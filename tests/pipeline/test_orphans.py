"""A stage that DVC runs ends when DVC does; nothing of it is published afterwards."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from pipeline import orphans

STAGE = """
import os, time
from pathlib import Path
import click
from pipeline.entry import run
from teacher_cache.publish import publish_file

@click.command()
def main():
    with publish_file(Path(os.environ["TARGET"], "out")) as temporary:
        temporary.write_text("late")
        Path(os.environ["TARGET"], "begun").touch()
        time.sleep(60)

run(main, "stage")
"""
# As DVC: it tells the stage its name, and runs it in a shell, which waits.
DVC = """
import os, subprocess, sys
subprocess.run(["sh", "-c", '"$0" -c "$1"; true', *sys.argv[1:]], env={**os.environ, **MARK})
"""


@pytest.mark.parametrize("mark", [{orphans.MARK: "stage"}, {}], ids=["of DVC", "by hand"])
def test_a_stage_ends_with_its_dvc(tmp_path, mark):
    program = DVC.replace("MARK", repr(mark))
    environment = {key: value for key, value in os.environ.items() if key != orphans.MARK} | {"TARGET": str(tmp_path)}
    dvc = subprocess.Popen([sys.executable, "-c", program, sys.executable, STAGE], env=environment)
    deadline = time.monotonic() + 60
    while not (tmp_path / "begun").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    below = psutil.Process(dvc.pid).children(recursive=True)
    dvc.kill()
    dvc.wait()
    _, alive = psutil.wait_procs(below, timeout=3 * orphans.SECONDS if not mark else 30)
    assert bool(alive) == (not mark)
    for process in alive:
        process.send_signal(signal.SIGINT)
    psutil.wait_procs(alive, timeout=30)
    assert [path.name for path in tmp_path.iterdir()] == ["begun"]
