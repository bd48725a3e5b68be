"""What we use of DVC beside its command line, on stages of a line each; it is to hold with the oldest DVC, too.

All of it stands in pipeline/team/dvc_project.py and remote.py.
"""

import shutil
import subprocess
import sys

import pytest

from pipeline.team.dvc_project import list_needed, list_steps, open_repo
from pipeline.team.remote import NAME, WITHOUT_TEXTS, add_remote, is_reachable, open_remote, pull_outs, push_outs
from pipeline.team.wordless import require_apart, require_unshared
from teacher_cache.errors import UserError

# DVC's own, of pygtrie.
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")

PIPELINE = """
stages:
  prepare:
    cmd: mkdir data && echo a text > data/rows.txt
    params: [rows]
    outs: [data]
  cache_teacher:
    cmd: mkdir cache && cp data/rows.txt cache/part && echo named > cache/manifest
    deps: [data]
    outs: [cache]
  train_student:
    cmd: (echo trained && cat cache/part) > student.txt
    params: [rate]
    deps: [cache]
    outs: [student.txt]
"""


def run_dvc(*arguments):
    subprocess.run([sys.executable, "-m", "dvc", *arguments, "--quiet"], check=True)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A project that has run once."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "dvc.yaml").write_text(PIPELINE)
    (folder / "params.yaml").write_text("rows: 3\nrate: 1.0\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run_dvc("init", "--no-scm")
        run_dvc("repro")
    return folder


@pytest.fixture
def project(made, tmp_path, monkeypatch):
    """A copy of it, in which the process stands."""
    shutil.copytree(made, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


def read_steps(allow_missing=False):
    with open_repo() as repo:
        return {step.name: (step.reasons, step.cached) for step in list_steps(repo, allow_missing)}


def test_steps_come_in_order_with_what_changed(project):
    nothing = ((), False)
    assert read_steps() == {"prepare": nothing, "cache_teacher": nothing, "train_student": nothing}
    assert list(read_steps()) == ["prepare", "cache_teacher", "train_student"]
    (project / "params.yaml").write_text("rows: 3\nrate: 2.0\n")
    assert read_steps()["train_student"] == (("rate 1.0 -> 2.0",), False)
    run_dvc("repro")
    (project / "params.yaml").write_text("rows: 4\nrate: 1.0\n")
    found = read_steps()
    assert found["prepare"] == (("rows 3 -> 4",), False)
    assert found["cache_teacher"] == (("after prepare",), False)
    assert found["train_student"] == (("rate 2.0 -> 1.0", "after cache_teacher"), False)
    (project / "params.yaml").write_text("rows: 3\nrate: 1.0\n")
    assert read_steps()["train_student"] == (("rate 2.0 -> 1.0",), True)  # it ran so before
    (project / "dvc.lock").unlink()
    assert read_steps()["prepare"] == (("has not run yet",), True)


def test_what_is_not_here_is_unchanged_only_where_that_is_allowed(project):
    shutil.rmtree(project / "data")
    assert read_steps()["prepare"][0] == ("data is deleted",)
    assert not any(reasons for reasons, _ in read_steps(allow_missing=True).values())
    with open_repo() as repo:
        needed = list_needed(list_steps(repo, allow_missing=True))
        assert sorted(out.def_path for out in needed) == ["cache", "student.txt"]


def test_texts_stay_though_what_reads_them_is_to_run_again(project):
    """Where texts may not travel; otherwise a member runs it, and needs them."""
    with (project / "dvc.yaml").open("a") as stream:
        stream.write("  compare_texts: {cmd: cp data/rows.txt texts.txt, deps: [data], outs: [texts.txt]}\n")
    with open_repo() as repo:
        steps = list_steps(repo, allow_missing=False)
        found = [sorted(out.def_path for out in list_needed(steps, texts)) for texts in (True, False)]
    assert found == [["cache", "data", "student.txt"], ["cache", "student.txt"]]


def share(project):
    (project.parent / "remote").mkdir()
    with open_repo() as repo:
        add_remote(repo, str(project.parent / "remote"))
        return push_outs(repo, list_needed(list_steps(repo, allow_missing=False)))


def pull():
    with open_repo() as repo:
        pull_outs(repo, list_needed(list_steps(repo, allow_missing=True)))


def test_what_is_needed_travels_and_nothing_else(project):
    assert share(project) == 4  # the cache's list, its two files, the student
    for place in (".dvc/cache", "data", "cache"):
        shutil.rmtree(project / place)
    (project / "student.txt").unlink()
    pull()
    assert (project / "student.txt").read_text() == "trained\na text\n"
    assert sorted(path.name for path in (project / "cache").iterdir()) == ["manifest", "part"]
    assert not (project / "data").exists()
    assert not any(reasons for reasons, _ in read_steps(allow_missing=True).values())


@pytest.mark.parametrize("state", ["damaged", "missing"])
def test_an_object_that_does_not_come_is_named_and_shared_again(project, state):
    share(project)
    whole = project.parent / "whole"
    shutil.copytree(project / ".dvc/cache", whole)
    path = next(
        path
        for path in (project.parent / "remote/files").rglob("*")
        if path.is_file() and path.read_bytes() == b"named\n"
    )
    path.chmod(0o644)
    path.write_bytes(b"forged\n")
    path.chmod(0o444)  # which DVC takes for checked
    if state == "missing":
        path.unlink()
    for place in (".dvc/cache", "cache"):
        shutil.rmtree(project / place)
    with pytest.raises(UserError, match=f"cache is {state} on the DVC remote"):
        pull()
    shutil.rmtree(project / ".dvc/cache", ignore_errors=True)
    shutil.copytree(whole, project / ".dvc/cache")
    with open_repo() as repo:
        repo.checkout()
        push_outs(repo, list_needed(list_steps(repo, allow_missing=False)))
    assert path.read_bytes() == b"named\n"


def test_a_remote_that_is_not_there_is_one_line(project):
    with open_repo() as repo:
        assert not is_reachable(repo)
        with pytest.raises(UserError, match="no DVC remote is configured"):
            open_remote(repo)
        add_remote(repo, str(project / "nowhere"))
        with pytest.raises(UserError, match="nowhere must exist, and does not"):
            open_remote(repo)
        assert open_remote(repo, make=True).path == str(project / "nowhere")
        assert is_reachable(repo)


def test_what_goes_without_texts_has_a_place_of_its_own(project):
    """And is never the default, to which `dvc push` takes everything."""
    share(project)
    numbers = str(project.parent / "numbers")
    with open_repo() as repo:
        with pytest.raises(UserError, match="qdllm share URL --without-texts"):
            open_remote(repo, name=WITHOUT_TEXTS)
        add_remote(repo, numbers, WITHOUT_TEXTS)
        assert repo.config["core"]["remote"] == NAME
        for url, name in ((numbers, NAME), (str(project.parent / "remote"), WITHOUT_TEXTS)):
            require_apart(repo, url + "2", name)
            with pytest.raises(UserError, match="texts; name another folder or bucket"):
                require_apart(repo, url, name)
        texts = [out for step in list_steps(repo, allow_missing=False) for out in step.stage.outs if "data" in str(out)]
        remote = open_remote(repo, make=True, name=WITHOUT_TEXTS)
        require_unshared(texts, remote)
        push_outs(repo, texts, WITHOUT_TEXTS)
        with pytest.raises(UserError, match=r"numbers, which holds data: share to another"):
            require_unshared(texts, remote)
