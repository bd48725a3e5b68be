"""What a hub answers becomes one line for the user; a hub on this machine answers like the real one."""

import shutil

import pytest
from huggingface_hub import constants

from teacher_cache.errors import UserError
from teacher_cache.teacher.base.checkpoints import make_base, open_base
from teacher_cache.teacher.base.snapshot import fetch_snapshot, find_commit
from teacher_cache.teacher.teacher_config import HubBase
from tests.teacher_cache.teacher.conftest import make_stand_in

REVISION = "0123456789abcdef0123456789abcdef01234567"
PROPOSED = "89abcdef0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (403, "GatedRepo", "someone/model is gated: accept its licence"),
        (404, "RepoNotFound", "model must be a hub id that exists, or a folder, got someone/model"),
        (404, "RevisionNotFound", f"revision must be a commit of someone/model, got {REVISION}"),
        (418, "", "is not in the hub's cache and the hub gives no answer .*418.*; connect"),
    ],
)
def test_answers(hub, status, code, message):
    hub.refusal = status, code
    with pytest.raises(UserError, match=message) as caught:
        fetch_snapshot("someone/model", REVISION, ask_hub=True)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (403, "GatedRepo", "someone/model is gated: accept its licence"),
        (404, "RepoNotFound", "model must be a hub id that exists, or a folder, got someone/model"),
        (404, "RevisionNotFound", "revision must be a commit of someone/model, got main"),
        (418, "", "someone/model could not be fetched: .*418"),
    ],
)
def test_answers_when_asked_for_a_commit(hub, status, code, message):
    hub.refusal = status, code
    with pytest.raises(UserError, match=message):
        find_commit("someone/model", "main")


def test_a_hub_that_is_not_there(monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(UserError, match=r"someone/model could not be fetched: .*refused"):
        find_commit("someone/model", "main")


def test_a_sharded_model_comes_from_the_hub_and_stays(hub, tmp_path):
    """Fetched by commit, shards and all, without the pickles beside them; the hub may then vanish."""
    model = make_stand_in("bloom", tmp_path / "model")
    (model / "pytorch_model.bin").write_bytes(b"pickle")
    hub.add("someone/model", REVISION, model, "main")
    (tmp_path / "base").mkdir()
    make_base(HubBase("hub", "someone/model", find_commit("someone/model", "main")), [], 0, tmp_path / "base")
    hub.refusal = 500, ""
    checkpoint, identity = open_base(tmp_path / "base")
    assert (identity["model"], identity["revision"]) == ("someone/model", REVISION)
    assert len(list(checkpoint.glob("*.safetensors"))) > 1
    assert not list(checkpoint.glob("*.bin"))


@pytest.mark.parametrize("revision", [PROPOSED, "f" * 40])
def test_a_wrong_revision_is_refused_by_the_stage(hub, tmp_path, revision):
    hub.add("someone/model", REVISION, make_stand_in("opt", tmp_path / "model"), "main")
    with pytest.raises(UserError, match=f"revision must be a commit of someone/model, got {revision}"):
        make_base(HubBase("hub", "someone/model", revision), [], 0, tmp_path)


def test_pickles_alone_are_refused_and_the_proposal_with_safetensors_is_named(hub, tmp_path):
    converted = make_stand_in("opt", tmp_path / "converted")
    pickled = shutil.copytree(converted, tmp_path / "pickled", ignore=shutil.ignore_patterns("*.safetensors*"))
    (pickled / "pytorch_model.bin").write_bytes(b"pickle")
    hub.add("someone/model", REVISION, pickled, "main")
    with pytest.raises(UserError, match="main must have safetensors at its top level, and has none; no reference has"):
        find_commit("someone/model", "main")
    hub.add("someone/model", PROPOSED, converted, "refs/pr/3")
    with pytest.raises(UserError, match=r"has none; refs/pr/3 has; read what it changes, then name it with --ref"):
        find_commit("someone/model", "main")
    assert find_commit("someone/model", "refs/pr/3") == PROPOSED
    with pytest.raises(UserError, match="weights must be safetensors"):
        make_base(HubBase("hub", "someone/model", REVISION), [], 0, tmp_path)


def test_offline(monkeypatch, tmp_path):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UserError, match=r"is not in the hub's cache and the hub gives no answer .*offline"):
        fetch_snapshot("someone/model", REVISION, ask_hub=True)


def test_not_an_id():
    with pytest.raises(UserError, match="model must be a hub id that exists, or a folder, got no/such/folder"):
        fetch_snapshot("no/such/folder", REVISION, ask_hub=True)


@pytest.mark.parametrize("ask_hub", [True, False])
def test_a_cached_snapshot_needs_no_network(monkeypatch, tmp_path, ask_hub):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", ask_hub)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    snapshot = tmp_path / "models--someone--model" / "snapshots" / REVISION
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    assert fetch_snapshot("someone/model", REVISION, ask_hub) == snapshot
