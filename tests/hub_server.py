"""A model hub on this machine: what the tests put into it, answered over HTTP as the real one answers.

It takes pushes from who has a token; every file is sent whole, in the commit.
"""

import base64
import hashlib
import json
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote


@dataclass
class Hub:
    """Its address; the folder of each commit of each model; where each reference points; or one answer to all.

    `private` has the models that were pushed, and whether they are; their commits are made in `place`. `lengths` has
    what is said of a file's length before it is fetched, where that is not the truth; None where nothing is.
    """

    url: str = ""
    place: Path = Path()
    private: dict[str, bool] = field(default_factory=dict)
    lengths: dict[str, str | None] = field(default_factory=dict)
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
        if path.removeprefix("/api/models/") in self.private:
            return 200, {}, json.dumps({"id": "", "private": self.private[path.removeprefix("/api/models/")]}).encode()
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
        if file and not (folder / file[3]).is_file():
            return 404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit}, b""
        if file:
            data = (folder / file[3]).read_bytes()
            return 200, {"X-Repo-Commit": commit, "ETag": f'"{hashlib.sha1(data).hexdigest()}"'}, data
        paths = [path for path in sorted(folder.iterdir()) if path.is_file()]
        if api[4]:
            listing = [{"type": "file", "path": p.name, "size": p.stat().st_size, "oid": p.name} for p in paths]
            return 200, {}, json.dumps(listing).encode()
        info = {"id": model, "sha": commit, "siblings": [{"rfilename": path.name} for path in paths]}
        return 200, {}, json.dumps(info).encode()

    def take(self, path: str, body: bytes, token: str | None) -> tuple[int, dict[str, str], bytes]:
        """Answer a POST."""
        if self.refusal:
            return self.answer(path)
        if path == "/api/validate-yaml":
            return 200, {}, b'{"errors": [], "warnings": []}'
        if not token:
            return 401, {}, b""
        path = path.split("?")[0]
        if path == "/api/repos/create":
            asked = json.loads(body)
            model = f"{asked['organization']}/{asked['name']}"
            if model in self.private:
                return 409, {}, json.dumps({"url": f"{self.url}/{model}"}).encode()
            self.private[model] = asked.get("private", asked.get("visibility") == "private")
            self.add(model, "0" * 40, self._begin(model, "0" * 40, None), "main")
            return 200, {}, json.dumps({"url": f"{self.url}/{model}"}).encode()
        model, action = re.fullmatch(r"/api/models/([^/]+/[^/]+)/(preupload|commit)/main", path).groups()
        if action == "preupload":
            names = [one["path"] for one in json.loads(body)["files"]]
            modes = [{"path": name, "uploadMode": "regular", "shouldIgnore": False} for name in names]
            return 200, {}, json.dumps({"files": modes}).encode()
        commit = hashlib.sha1(body).hexdigest()
        folder = self._begin(model, commit, self.commits[model][self.references[model]["main"]])
        for line in map(json.loads, body.splitlines()):
            if line["key"] == "file":
                (folder / line["value"]["path"]).write_bytes(base64.b64decode(line["value"]["content"]))
            elif line["key"] == "deletedFile":
                (folder / line["value"]["path"]).unlink()
        self.add(model, commit, folder, "main")
        return 200, {}, json.dumps({"commitOid": commit, "commitUrl": f"{self.url}/{model}/commit/{commit}"}).encode()

    def _begin(self, model: str, commit: str, before: Path | None) -> Path:
        """The folder of a new commit, with what there was before."""
        folder = self.place / model / commit
        if before is None:
            folder.mkdir(parents=True)
        else:
            shutil.copytree(before, folder)
        return folder

    def _refs(self, model: str) -> dict[str, list[dict[str, str]]]:
        found = {"branches": [], "converts": [], "tags": [], "pullRequests": []}
        for name, commit in self.references[model].items():
            kind, ref = ("pullRequests", name) if name.startswith("refs/pr/") else ("branches", f"refs/heads/{name}")
            found[kind].append({"name": name, "ref": ref, "targetCommit": commit})
        return found


@contextmanager
def serve_hub(place: Path = Path()) -> Iterator[Hub]:
    """Run a hub until the block ends; what is pushed to it lies in `place`."""
    hub = Hub(place=place)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.reply(*hub.answer(self.path))

        def do_POST(self):
            data = self.rfile.read(int(self.headers["Content-Length"]))
            self.reply(*hub.take(self.path, data, self.headers["Authorization"]))

        def reply(self, status, headers, body):
            self.send_response(status)
            length = str(len(body))
            if self.command == "HEAD":
                length = hub.lengths.get(self.path.split("/")[-1], length)
            for name, value in {**headers, "Content-Length": length}.items():
                if value is not None:
                    self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
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
