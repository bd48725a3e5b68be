"""A model hub on this machine: what the tests put into it, answered over HTTP as the real one answers."""

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote


@dataclass
class Hub:
    """Its address; the folder of each commit of each model; where each reference points; or one answer to all."""

    url: str = ""
    commits: dict[str, dict[str, Path]] = field(default_factory=dict)
    references: dict[str, dict[str, str]] = field(default_factory=dict)
    refusal: tuple[int, str] | None = None

    def add(self, model: str, commit: str, folder: Path, reference: str) -> None:
        self.commits.setdefault(model, {})[commit] = folder
        self.references.setdefault(model, {})[reference] = commit

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body."""
        if self.refusal:
            status, code = self.refusal
            return status, {"X-Error-Code": code, "X-Error-Message": "as the test asked"}, b""
        path = unquote(path.split("?")[0])
        api = re.fullmatch(r"/api/models/([^/]+/[^/]+)/(refs|revision/(.+)|tree/(.+))", path)
        file = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        model = (api or file)[1] if api or file else ""
        if model not in self.commits:
            return 404, {"X-Error-Code": "RepoNotFound"}, b""
        if api and api[2] == "refs":
            return 200, {}, json.dumps(self._refs(model)).encode()
        asked = (api[3] or api[4]) if api else file[2]
        commit = self.references[model].get(asked, asked)
        if commit not in self.commits[model]:
            return 404, {"X-Error-Code": "RevisionNotFound"}, b""
        folder = self.commits[model][commit]
        if file:
            data = (folder / file[3]).read_bytes()
            return 200, {"X-Repo-Commit": commit, "ETag": f'"{hashlib.sha1(data).hexdigest()}"'}, data
        paths = [path for path in sorted(folder.iterdir()) if path.is_file()]
        if api[4]:
            listing = [{"type": "file", "path": p.name, "size": p.stat().st_size, "oid": p.name} for p in paths]
            return 200, {}, json.dumps(listing).encode()
        info = {"id": model, "sha": commit, "siblings": [{"rfilename": path.name} for path in paths]}
        return 200, {}, json.dumps(info).encode()

    def _refs(self, model: str) -> dict[str, list[dict[str, str]]]:
        found = {"branches": [], "converts": [], "tags": [], "pullRequests": []}
        for name, commit in self.references[model].items():
            kind, ref = ("pullRequests", name) if name.startswith("refs/pr/") else ("branches", f"refs/heads/{name}")
            found[kind].append({"name": name, "ref": ref, "targetCommit": commit})
        return found


@contextmanager
def serve_hub() -> Iterator[Hub]:
    """Run a hub until the block ends."""
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status, headers, body = hub.answer(self.path)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
