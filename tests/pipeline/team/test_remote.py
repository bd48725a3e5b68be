"""Whatever a remote's address, DVC's own file stays whole; what is printed works when it is pasted."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest
from dvc.repo import Repo

from pipeline.commands.share import describe_next
from pipeline.team.remote import add_remote, resolve_url
from teacher_cache.errors import UserError

SECRET = "['remote \"other\"']\n    url = s3://bucket\n    secret_access_key = hidden\n"
LOCAL = Path(".dvc/config.local")

# DVC's own, of pygtrie.
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")


@pytest.fixture(params=["plain", "Größe"])
def home(request, tmp_path):
    """A folder of somebody's, with a project in it."""
    folder = tmp_path / request.param
    (folder / "project").mkdir(parents=True)
    Repo.init(str(folder / "project"), no_scm=True).close()
    return folder


def add(url):
    with Repo() as repo:
        add_remote(repo, resolve_url(url))
    with Repo() as repo:  # as the next command reads it
        assert repo.config["remote"]["other"]["secret_access_key"] == "hidden"
        assert repo.config["core"]["remote"] == "team"
        return repo.config["remote"]["team"]["url"]


@pytest.mark.parametrize("name", ["remote", "a b", "a#b?c", "it's", 'a"b', "a,b;c", "$x", "[a]=b"])
def test_a_folder_of_any_name_is_written_down_and_credentials_stay(home, monkeypatch, name):
    monkeypatch.chdir(home / "project")
    LOCAL.write_text(SECRET)
    assert os.path.normpath(add(f"../{name}")) == str(home / name)


@pytest.mark.parametrize("url", ["../\u00dc", "/srv/\u00dc", "s3://bucket/\u00dc", "../%(a)s"])
def test_an_address_that_dvc_cannot_write_changes_nothing(home, monkeypatch, url):
    monkeypatch.chdir(home / "project")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: True)
    for before in (SECRET.encode(), None):
        LOCAL.unlink(missing_ok=True) if before is None else LOCAL.write_bytes(before)
        with Repo() as repo, pytest.raises(UserError, match="remote's address") as error:
            add_remote(repo, resolve_url(url))
        assert "\n" not in str(error.value)
        assert (LOCAL.read_bytes() if LOCAL.exists() else None) == before


def test_the_link_that_is_advised_works(tmp_path, monkeypatch):
    project = tmp_path / "project"
    project.mkdir()
    Repo.init(str(project), no_scm=True).close()
    monkeypatch.chdir(project)
    (tmp_path / "\u00dc").mkdir()
    LOCAL.write_text(SECRET)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "links"))
    (tmp_path / "links").mkdir()
    with pytest.raises(UserError) as error:
        add("../\u00dc")
    command, share = str(error.value).rpartition(": ")[2].split(" && ")
    subprocess.run(shlex.split(command), check=True)
    assert Path(add(shlex.split(share)[2])).resolve() == tmp_path / "\u00dc"


def test_a_file_that_dvc_would_empty_is_not_touched(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Repo.init(no_scm=True).close()
    LOCAL.write_text(SECRET.replace("hidden", "gehe\u00efm"), encoding="utf-8")
    before = LOCAL.read_bytes()
    with Repo() as repo, pytest.raises(UserError, match=r"config\.local must be ASCII"):
        add_remote(repo, "/srv/remote")
    assert LOCAL.read_bytes() == before


@pytest.mark.parametrize("inner", ["", "ml/q d"])
@pytest.mark.parametrize("origin", ["", "hub me.git", "../hub me.git"])
def test_what_a_member_types_leads_to_the_project(tmp_path, inner, origin):
    """In a monorepo as in a repository of its own, with blanks in every path, with an origin and without."""
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org"]
    top = tmp_path / "my repo"
    project = top / inner
    project.mkdir(parents=True)
    (project / "params.yaml").touch()
    subprocess.run([*git, "init", "--quiet"], cwd=top, check=True)
    subprocess.run([*git, "add", "--all"], cwd=top, check=True)
    subprocess.run([*git, "commit", "--quiet", "--message", "a"], cwd=top, check=True)
    if origin:
        hub = top / origin
        subprocess.run([*git, "clone", "--quiet", "--bare", str(top), str(hub)], check=True)
        subprocess.run([*git, "remote", "add", "origin", origin if ".." in origin else str(hub)], cwd=top, check=True)
    *_, clone, use = describe_next(project, "/srv/a b's")
    member = tmp_path / "member"
    member.mkdir()
    subprocess.run(["bash", "-euc", f"{clone} 2>/dev/null && test -f params.yaml"], cwd=member, check=True)
    assert shlex.split(use) == ["qdllm", "student", "--remote", "/srv/a b's"]


def test_make_hands_the_address_on_as_it_is(tmp_path):
    root = Path(__file__).parents[3]
    (tmp_path / "Makefile").write_text((root / "Makefile").read_text())
    line = describe_next(tmp_path, "/srv/a b's")[-1]
    assert line.split()[:2] == ["make", "student"]
    dry = ["--dry-run", "--no-print-directory", "--old-file", ".venv/installed-student"]
    done = subprocess.run(
        ["bash", "-c", f"{line} {' '.join(dry)}"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip().endswith('--remote "$REMOTE"')
    assert "REMOTE=/srv/a b's" in shlex.split(line)
