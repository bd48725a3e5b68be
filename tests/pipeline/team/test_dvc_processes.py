"""Chains of stages in several processes of DVC: side by side, each on cores of its own, and all in one dvc.lock."""

import os
import subprocess
import sys
import textwrap

import pytest

from pipeline.team.dvc_processes import run_chains, run_dvc
from teacher_cache.errors import UserError

STAGES = """
stages:
  meet:
    foreach: [a, b]
    do:
      cmd: python meet.py ${item}
      outs: ["cores-${item}"]
  copy:
    foreach: [a, b]
    do:
      cmd: cp cores-${item} copy-${item}
      deps: ["cores-${item}"]
      outs: ["copy-${item}"]
  broken:
    cmd: python meet.py nobody
  spared:
    cmd: touch spared
"""
# Two stages that run one after the other never meet.
MEET = """
import os, pathlib, sys, time
own = sys.argv[1]
if own == "nobody":
    sys.exit("nobody is there")
pathlib.Path(f"met-{own}").touch()
end = time.monotonic() + 60
while not all(pathlib.Path(f"met-{name}").exists() for name in "ab"):
    assert time.monotonic() < end
    time.sleep(0.01)
pathlib.Path(f"cores-{own}").write_text(" ".join(map(str, sorted(os.sched_getaffinity(0)))))
"""


@pytest.fixture
def stages(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "--quiet"], check=True)
    (tmp_path / "dvc.yaml").write_text(STAGES)
    (tmp_path / "meet.py").write_text(textwrap.dedent(MEET))
    return tmp_path


def test_chains_run_side_by_side_on_cores_of_their_own_into_one_lock(stages, capsys):
    run_chains({name: [f"meet@{name}", f"copy@{name}"] for name in "ab"}, 2)
    cores = [set((stages / f"copy-{name}").read_text().split()) for name in "ab"]
    if len(os.sched_getaffinity(0)) > 1:
        assert not cores[0] & cores[1]
    said = capsys.readouterr().out
    assert {line[:3] for line in said.splitlines()} == {"a  ", "b  "}
    assert {line for line in (stages / "dvc.lock").read_text().split() if "@" in line} == {
        f"{stage}@{name}:" for stage in ("meet", "copy") for name in "ab"
    }


def test_after_a_failure_no_chain_begins_and_one_line_names_it(stages, capsys):
    with pytest.raises(UserError, match=r"stages of first failed, their lines above say why; finished stages are kept"):
        run_chains({"first": ["broken"], "second": ["spared"]}, 1)
    assert not (stages / "spared").exists()
    assert "nobody is there" in capsys.readouterr().out
    with pytest.raises(UserError, match="`dvc repro broken` failed, its lines above say why; finished stages are kept"):
        run_dvc("repro", "broken", quiet=True)
    assert "nobody is there" in capsys.readouterr().err
