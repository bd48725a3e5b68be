"""Member A: what is refused before anything is pushed, and what is said afterwards."""

import shutil

import pytest

from pipeline.team.remote import resolve_url
from teacher_cache.errors import UserError


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("ftp://host/folder", "must be a folder or begin with s3://, gs://, azure://, ssh://, got ftp://host/folder"),
        ("ssh://a:secret@host/folder", "must hold no password"),
    ],
)
def test_an_address_that_will_not_do(url, rule):
    with pytest.raises(UserError, match=rule) as caught:
        resolve_url(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("store", ["s3", "gs", "azure", "ssh"])
def test_a_store_without_its_library_says_what_to_install(store, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=rf"pip install 'dvc\[{store}\]'"):
        resolve_url(f"{store}://bucket/folder")


def test_a_folder_becomes_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert resolve_url("remote") == str(tmp_path / "remote")
    assert resolve_url(f"file://{tmp_path}") == str(tmp_path)


def test_sharing_again_says_what_a_member_types_and_commits_nothing(owner):
    remote = owner.folder.parent / "remote"
    lines = owner.run("qdllm", "share").splitlines()
    assert lines[0].startswith(f"{remote} holds all ")
    assert lines[-2:] == [f"  git clone {owner.folder} && cd owner", f"  make student REMOTE={remote}"]
    assert owner.run("git", "status", "--porcelain") == ""
    assert "verify = true" in (owner.folder / ".dvc/config.local").read_text().lower()


def test_an_unfinished_teacher_is_not_shared(owner, tmp_path):
    checkout = owner.at(tmp_path / "copy")
    shutil.copytree(owner.folder, checkout.folder)
    checkout.edit("{rank: 8, alpha: 16", "{rank: 4, alpha: 16")
    line = checkout.refuse("qdllm", "share", str(tmp_path / "remote"))
    assert "must be up to date before it is shared, got: teacher.llama-tiny.finetune.rank 8 -> 4" in line
    assert not (tmp_path / "remote").exists()
