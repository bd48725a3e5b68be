"""A project of one's own: what `qdllm init` writes, that it runs, and that another version runs it again."""

import pytest
from click.testing import CliRunner

from pipeline.cli import qdllm
from pipeline.commands.init import init
from pipeline.commands.share import describe_next
from pipeline.team.project import read_project
from teacher_cache.errors import UserError
from tests.pipeline.conftest import ENVIRONMENT, Checkout
from tests.pipeline.template import TEMPLATE, make_template

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


@pytest.mark.slow
def test_it_runs_on_the_installed_package_and_again_with_another_version(tmp_path):
    checkout = Checkout(tmp_path / "mine", ENVIRONMENT)
    start(checkout.folder)
    checkout.edit("rows: 800", "rows: 200")
    checkout.edit("qubits: 11, layers: 4", "qubits: 2, layers: 1")
    student = ["train_student", "evaluate", "report"]
    compared = [*student[:2], "compare", "report"]
    everything = ["prepare", "embed", "base", "finetune", "cache_teacher", *compared]
    assert checkout.repro() == ["version", *everything]
    assert checkout.repro() == ["version"]
    assert checkout.plan() == []
    assert "mood" in checkout.run("qdllm", "results")
    checkout.edit("  learning_rate: 1.0e-2\n  l2", "  learning_rate: 4.0e-3\n  l2")
    assert checkout.plan() == student
    (checkout.folder / "version.txt").write_text("qdllm, version 0.0.1\n")  # as an older one left it
    assert sorted(checkout.plan()) == sorted(["version", *everything])
