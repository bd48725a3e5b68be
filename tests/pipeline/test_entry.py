"""What a user can cause ends in one line and exit code 2; a record tells what a stage has cost."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from pipeline import entry
from pipeline.entry import write_record


def run_command(body, *arguments, **environment):
    script = textwrap.dedent("""
        import click
        from pipeline.entry import run
        from teacher_cache.errors import UserError
        @click.command()
        @click.option("--rows", type=int)
        def main(rows):
            {body}
        run(main, "stage")
    """).format(body=body)
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={"PATH": "", **environment}, check=False)


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("raise UserError('rows must be > 0,' + chr(10) + ' got -1')", "stage: rows must be > 0, got -1\n"),
        ("open('/nowhere/at/all')", "stage: [Errno 2] No such file or directory: '/nowhere/at/all'\n"),
    ],
)
def test_a_users_error_is_one_line(body, line):
    result = run_command(body)
    assert (result.returncode, result.stdout, result.stderr) == (2, "", line)
    assert "Traceback" in run_command(body, "--debug").stderr
    assert "Traceback" in run_command(body, QDLLM_DEBUG="1").stderr


def test_a_fault_of_ours_has_its_traceback():
    result = run_command("1 / 0")
    assert result.returncode == 1
    assert "ZeroDivisionError" in result.stderr


def test_a_wrong_option_says_which():
    result = run_command("pass", "--rows", "many")
    assert result.returncode == 2
    assert "'many' is not a valid integer" in result.stderr
    assert run_command("pass", "--rows", "3").returncode == 0


def test_an_interrupt_ends_at_once_whatever_still_runs():
    """No end of Python's own, which waits for threads and takes the memory from under a compiler's."""
    thread = "import threading, time; threading.Thread(target=time.sleep, args=(600,)).start()"
    result = run_command(f"{thread}; raise KeyboardInterrupt")
    assert (result.returncode, result.stderr) == (130, "\nstage: interrupted\n")


def test_an_interrupt_that_gets_lost_ends_it_all_the_same():
    """As in a callback of JAX's compiler, which went on to the end of the training."""
    lost = "import os, signal, time; from pipeline import entry; entry.PATIENCE_SECONDS = 0.1; "
    lost += "exec('try:\\n os.kill(os.getpid(), signal.SIGINT); time.sleep(9)\\nexcept KeyboardInterrupt: pass'); "
    result = run_command(f"{lost} time.sleep(600)")
    assert (result.returncode, result.stderr) == (130, "stage: interrupted\n")


@pytest.mark.parametrize("command", [["-m", "pipeline.stages.report"], ["-m", "pipeline.stages.train_student"]])
def test_an_interrupt_while_python_imports_is_one_line(command):
    process = subprocess.Popen([sys.executable, *command], stderr=subprocess.PIPE, text=True, env={**os.environ})
    while "numpy" not in Path(f"/proc/{process.pid}/maps").read_text():  # which comes after this package's handler
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60)[1].endswith("interrupted\n")
    assert process.returncode == 130


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_what_an_encoding_cannot_say_ends_no_command(encoding):
    result = run_command("print('x ' + chr(8364)); raise UserError('y ' + chr(0x1f600))", PYTHONIOENCODING=encoding)
    assert result.returncode == 2
    assert result.stdout.strip() == ("x €" if encoding == "utf-8" else "x \\u20ac")


def test_an_interrupt_is_no_error():
    result = run_command("raise KeyboardInterrupt")
    assert (result.returncode, result.stderr) == (130, "\nstage: interrupted\n")  # click ends the ^C's line


def test_a_record_counts_the_whole_process(tmp_path):
    path = tmp_path / "records" / "embed.json"
    write_record(path, "embed", details={"dimensions": 3}, task="mood")
    record = json.loads(path.read_text())
    assert (record["stage"], record["task"], record["dimensions"]) == ("embed", "mood", 3)
    assert record["seconds"] > 0
    assert record["peak_memory_mib"] > 10
    assert record["versions"]["python"] == sys.version.split()[0]


def test_a_record_names_the_commit_and_whether_the_code_was_changed(tmp_path, monkeypatch):
    """The package is looked for in the repository of its own folder, wherever the run starts."""

    def git(*command):
        names = ("-c", "user.name=a", "-c", "user.email=a@b.c")
        return subprocess.run(["git", "-C", tmp_path, *names, *command], check=True, capture_output=True, text=True)

    monkeypatch.setattr(entry, "__file__", str(tmp_path / "pipeline/entry.py"))
    assert entry.measure_run("embed")["commit"] is None
    for package in ("pipeline", "student_jax", "teacher_cache"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "one.py").write_text("1")
    (tmp_path / "dvc.yaml").write_text("")
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "first")
    commit = git("rev-parse", "--short=12", "HEAD").stdout.strip()
    assert entry.measure_run("embed")["commit"] == commit
    (tmp_path / "notes.txt").write_text("nothing of the code's")
    assert entry.measure_run("embed")["commit"] == commit
    (tmp_path / "pipeline/one.py").write_text("2")
    assert entry.measure_run("embed")["commit"] == f"{commit} with changes"
