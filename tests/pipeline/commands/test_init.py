"""A project of one's own: what `qdllm init` writes, that it runs, and that another version runs it again."""

import json
import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli import qdllm
from pipeline.commands.init import init
from pipeline.commands.share import describe_next
from pipeline.team.project import read_project
from teacher_cache.errors import UserError
from tests.pipeline.conftest import ENVIRONMENT, Checkout
from tests.pipeline.template import TEMPLATE, make_template

ROOT = Path(__file__).parents[3]
STUDENT = ["train_student", "evaluate", "report"]
COMPARED = [*STUDENT[:2], "compare", "report"]
FILES = {".dvc", ".dvcignore", ".git", ".gitignore", "README.md", "dvc.yaml", "params.yaml"}


def start(folder):
    CliRunner().invoke(init, [str(folder)], catch_exceptions=False)


def test_the_template_is_this_repositorys_pipeline():
    """Rewrite it with python -m tests.pipeline.template."""
    assert TEMPLATE.read_text() == make_template()


def test_it_writes_a_project_and_nothing_twice(tmp_path, monkeypatch):
    start(tmp_path / "mine")
    assert {path.name for path in (tmp_path / "mine").iterdir()} == FILES
    assert read_project(tmp_path / "mine/params.yaml").tasks == ["mood"]
    assert describe_next(tmp_path / "mine", "/remote")[-1] == "  qdllm student --remote /remote"
    with pytest.raises(UserError, match=r"mine must be empty, got \.dvc, \.dvcignore, \.gitignore; name a new folder"):
        start(tmp_path / "mine")
    start(tmp_path / "mine/inner/deep")  # a part of a repository that is there already
    assert {path.name for path in (tmp_path / "mine/inner/deep").iterdir()} == FILES - {".git"}
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="the project's folder must be a folder, got the file"):
        start(tmp_path / "file")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    CliRunner().invoke(qdllm, ["init"], catch_exceptions=False)
    assert {path.name for path in (tmp_path / "here").iterdir()} == FILES


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A project of `qdllm init` that has run once."""
    checkout = Checkout(tmp_path_factory.mktemp("init") / "mine", ENVIRONMENT)
    start(checkout.folder)
    checkout.edit("rows: 800", "rows: 200")
    checkout.edit("qubits: 11, layers: 4", "qubits: 2, layers: 1")
    assert checkout.repro() == ["prepare", "embed", "base", "finetune", "cache_teacher", *COMPARED]
    return checkout


def install_newer(checkout, folder, stage):
    """The checkout with a package in which `stage` means something else."""
    for package in ("pipeline", "student_jax", "teacher_cache"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    path = folder / "teacher_cache/versions.json"
    numbers = json.loads(path.read_text())
    path.write_text(json.dumps({**numbers, stage: numbers[stage] + 1}))
    return checkout.at(checkout.folder, PYTHONPATH=str(folder))


@pytest.mark.slow
def test_it_runs_on_the_installed_package(begun):
    assert begun.repro() == []
    assert begun.plan() == []
    assert "mood" in begun.run("qdllm", "results")
    begun.edit("  learning_rate: 1.0e-2\n  l2", "  learning_rate: 4.0e-3\n  l2")
    assert begun.plan() == STUDENT
    begun.edit("  learning_rate: 4.0e-3\n  l2", "  learning_rate: 1.0e-2\n  l2")


@pytest.mark.slow
def test_another_package_reruns_what_means_something_else_and_nothing_more(begun, tmp_path):
    mine = begun.at(tmp_path / "mine")
    shutil.copytree(begun.folder, mine.folder)
    newer = install_newer(mine, tmp_path / "newer", "cache_teacher")
    assert sorted(newer.plan()) == sorted(["cache_teacher", *COMPARED])  # who knows yet what comes of it
    ran = newer.repro()
    assert ran[0] == "cache_teacher"
    assert "train_student" not in ran  # the same bytes came of it
    assert newer.plan() == []
    assert mine.plan()[0] == "cache_teacher"  # the old package again


@pytest.mark.slow
def test_a_member_without_torch_uses_a_shared_one(begun, tmp_path, without_torch):
    owner = begun.at(tmp_path / "owner")
    shutil.copytree(begun.folder, owner.folder)
    owner.run("git", "add", "--all")
    owner.run("git", "commit", "--quiet", "--message", "Cache the teacher")
    owner.run("qdllm", "share", "../remote")
    member = owner.at(tmp_path / "member", PYTHONPATH=without_torch)
    owner.run("git", "clone", "--quiet", str(owner.folder), str(member.folder))
    assert member.stages("qdllm", "student", "--remote", str(tmp_path / "remote")) == []
    assert member.repro("--allow-missing") == []
    newer = install_newer(owner, tmp_path / "newer", "finetune")
    blocked = newer.at(member.folder, PYTHONPATH=os.pathsep.join([str(tmp_path / "newer"), without_torch]))
    assert "finetune 1 -> 2" in blocked.refuse("qdllm", "student")
