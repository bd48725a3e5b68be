"""A copy of the project in which the pipeline has run once, for all tests that need one."""

import dataclasses
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from filelock import FileLock

from tests.pipeline.browser import Browser
from tests.pipeline.forks import lend_forks

ROOT = Path(__file__).parents[2]
COPIED = (
    *("pipeline", "student_jax", "teacher_cache"),
    *("dvc.yaml", "params.yaml", "Makefile", ".gitignore", ".dvcignore", "pyproject.toml"),
)
ENVIRONMENT = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    # Commits need an author, and must not depend on whose machine this is.
    **dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), "A"),
    **dict.fromkeys(("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"), "a@example.org"),
}


def list_run(output: str) -> list[str]:
    """The names of the stages that DVC says it ran, but for `inputs`, which always runs."""
    return [name for name in re.findall(r"Running stage '(\w+)", output) if name != "inputs"]


@dataclasses.dataclass(frozen=True)
class Checkout:
    """A working copy of the project and the environment in which its commands run, `forked` or as a user's do."""

    folder: Path
    environment: Mapping[str, str]
    forked: bool = True

    def call(self, *command: str) -> subprocess.CompletedProcess[str]:
        environment = lend_forks(self.environment) if self.forked else self.environment
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)

    def run(self, *command: str) -> str:
        result = self.call(*command)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def refuse(self, *command: str) -> str:
        """Run a command that must end as a user's error does; returns its one line."""
        result = self.call(*command)
        assert result.returncode == 2, result.stdout + result.stderr
        assert result.stderr.count("\n") == 1, result.stderr
        return result.stderr

    def stages(self, *command: str) -> list[str]:
        """Run a command; returns the names of the stages that DVC says it ran, but for `inputs`."""
        return list_run(self.run(*command))

    def repro(self, *arguments: str) -> list[str]:
        return self.stages("dvc", "repro", *arguments)

    def plan(self) -> list[str]:
        """The names of the stages that `qdllm plan` says would run."""
        return re.findall(r"^(\w+)\S*  ", self.run("qdllm", "plan"), re.MULTILINE)

    def edit(self, old: str, new: str) -> None:
        path = self.folder / "params.yaml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    @contextmanager
    def edited(self, old: str, new: str) -> Iterator[None]:
        """`edit` for a while: what others share is given back as it was, whatever happens."""
        self.edit(old, new)
        try:
            yield
        finally:
            self.edit(new, old)

    def at(self, folder: Path, **environment: str) -> "Checkout":
        return Checkout(folder, {**self.environment, **environment})


@pytest.fixture(scope="session")
def project(tmp_path_factory, worker_id) -> Checkout:
    """A copy of the project after `qdllm profile smoke` and `dvc repro`; leave it as you found it.

    Of several workers one makes it, in processes as a user's, and each has a copy of its own.
    """
    checkout = Checkout(tmp_path_factory.mktemp("project") / "project", ENVIRONMENT)
    shared = tmp_path_factory.getbasetemp() / "made"
    if worker_id != "master":
        shared = tmp_path_factory.getbasetemp().parent / "made"
    with FileLock(f"{shared}.lock"):
        if not shared.exists():
            making = shared.with_name("making")
            make_project(Checkout(making, ENVIRONMENT, forked=False))
            making.rename(shared)
    shutil.copytree(shared, checkout.folder, symlinks=True)
    return checkout


def make_project(checkout: Checkout) -> None:
    checkout.folder.mkdir()
    for name in COPIED:
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, checkout.folder / name)
    checkout.run("git", "init", "--quiet")
    checkout.run("dvc", "init", "--quiet")
    checkout.run("dvc", "config", "core.analytics", "false")
    checkout.run("qdllm", "profile", "smoke")
    assert checkout.repro() == [
        *("prepare", "embed", "base", "finetune", "cache_teacher"),
        *("train_student", "evaluate", "compare", "report"),
    ]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A tab of headless Chromium."""
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()
