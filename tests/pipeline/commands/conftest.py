"""Member A, who has shared a teacher, and member B, a fresh clone where torch cannot be imported."""

import os
import shutil
import textwrap

import pytest

from tests.pipeline.forks import SHARED

BLOCKED = ("accelerate", "peft", "torch", "transformers")


@pytest.fixture(scope="session")
def without_torch(tmp_path_factory) -> str:
    """A PYTHONPATH that hides the teacher's libraries from every process."""
    folder = tmp_path_factory.mktemp("without_torch")
    source = f"""
        import sys

        class Hidden:
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] in {BLOCKED}:
                    raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

        sys.meta_path.insert(0, Hidden())
    """
    (folder / "sitecustomize.py").write_text(textwrap.dedent(source))
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
    SHARED.add(path)
    return path


@pytest.fixture(scope="session")
def owner(project, tmp_path_factory):
    """Member A's checkout, committed and shared in the folder `remote` beside it."""
    checkout = project.at(tmp_path_factory.mktemp("team") / "owner")
    shutil.copytree(project.folder, checkout.folder, ignore=shutil.ignore_patterns("work"))
    checkout.run("git", "add", "--all")
    checkout.run("git", "commit", "--quiet", "--message", "Cache the teachers")
    checkout.run("qdllm", "share", "../remote")
    return checkout


@pytest.fixture
def remote(owner, tmp_path):
    """A copy of the shared remote, free to be damaged."""
    return shutil.copytree(owner.folder.parent / "remote", tmp_path / "remote")


@pytest.fixture
def member(owner, without_torch, tmp_path):
    """Member B's fresh clone."""
    checkout = owner.at(tmp_path / "member", PYTHONPATH=without_torch)
    owner.run("git", "clone", "--quiet", str(owner.folder), str(checkout.folder))
    return checkout
