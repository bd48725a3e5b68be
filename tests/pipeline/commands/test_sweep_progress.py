"""A sweep that was interrupted goes on where it was, and ends as one that was not."""

import json
import shutil

import pytest
from click.testing import CliRunner

from pipeline.commands.sweep import sweep
from pipeline.commands.sweep_progress import FINISHED, Progress
from student_jax.training import settings
from teacher_cache.errors import UserError

SMALL = ("--set", "student.circuit.qubits=2", "--set", "student.epochs=1", "--set", "student.seeds=1")
# Two programs, so that one is finished before the other.
GRID = ("--set", "student.circuit.layers=1,2", "--set", "student.learning_rate=1.0e-3,3.0e-2")


def call(name):
    arguments = [*SMALL, *GRID, "--name", name, "--json"]
    return CliRunner().invoke(sweep, arguments, catch_exceptions=True)


def test_after_an_interrupt_it_goes_on_with_what_is_not_finished(project, tmp_path, monkeypatch):
    for name in ("features", "cache", "params.yaml"):
        (tmp_path / name).symlink_to(project.folder / name)
    monkeypatch.chdir(tmp_path)
    # JAX takes it before its first computation alone, and another test may have computed in this process.
    monkeypatch.setattr("student_jax.devices.use_cores", lambda: None)
    found = call("one")
    assert found.exit_code == 0, (found.stderr, found.exception)
    undisturbed = json.loads(found.stdout)

    whole, trained = settings.train_together, []

    def train_once(models, dataset, configs, *others):
        if trained:
            raise KeyboardInterrupt
        trained.extend(configs)
        return whole(models, dataset, configs, *others)

    with monkeypatch.context() as patch:
        patch.setattr(settings, "train_together", train_once)
        found = call("two")
    assert found.exit_code
    assert "2 of 4 settings are kept; the same command with --name two goes on" in found.stderr
    finished = tmp_path / "sweeps/two" / FINISHED
    with finished.open("a") as stream:
        stream.write('{"identity": "cut o')  # a kill while a line is written

    again = []

    def train_counted(models, dataset, configs, *others):
        again.extend(configs)
        return whole(models, dataset, configs, *others)

    monkeypatch.setattr(settings, "train_together", train_counted)
    resumed = json.loads(call("two").stdout)
    assert {config.circuit.layers for config in again} == {1, 2} - {config.circuit.layers for config in trained}
    assert resumed["rows"] == undisturbed["rows"]
    assert not finished.exists()
    shutil.rmtree(tmp_path / "sweeps/two")
    with pytest.raises(UserError, match="sweeps/one must not be there yet"):
        CliRunner().invoke(sweep, [*SMALL, "--name", "one"], catch_exceptions=False)


def test_lines_that_are_cut_off_count_for_none(tmp_path):
    progress = Progress(tmp_path / "sweep")
    progress.keep("a", {"problem": "x"})
    with progress.path.open("a") as stream:
        stream.write('{"identity": "b", "outc')
    again = Progress(tmp_path / "sweep")
    assert again.found == {"a": {"problem": "x"}}
    again.keep("c", {"problem": ""})
    assert Progress(tmp_path / "sweep").found == {"a": {"problem": "x"}, "c": {"problem": ""}}
