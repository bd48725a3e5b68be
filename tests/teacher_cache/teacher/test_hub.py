"""What a hub answers becomes one line for the user; a hub on this machine answers like the real one."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from huggingface_hub import constants

from teacher_cache.errors import UserError
from teacher_cache.teacher.hub import fetch_snapshot

REVISION = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """Start a hub whose every answer is the status and error code that the test sets."""
    answer = {"status": 404, "code": ""}

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response(answer["status"])
            self.send_header("X-Error-Code", answer["code"])
            self.send_header("X-Error-Message", "as the test asked")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_HEAD  # noqa: N815

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    yield answer
    server.shutdown()
    thread.join()
    server.server_close()


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
    hub |= {"status": status, "code": code}
    with pytest.raises(UserError, match=message) as caught:
        fetch_snapshot("someone/model", REVISION, ask_hub=True)
    assert "\n" not in str(caught.value)


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
