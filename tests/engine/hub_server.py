"""A small stand-in for a model hub on this machine: the few requests that an upload makes, and commits that are kept.

It is not the real hub. What it speaks was read from huggingface_hub 1.17's `_commit_api.py` and `lfs.py`: creating a
repository, asking how files are to be sent, Git LFS' batch and basic transfer, committing. Large files come by Git LFS:
the real hub may choose Xet, which is not spoken here.
"""

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

TOKEN: Final = "hf_that_may_write"
LARGE: Final = (".safetensors", ".gguf", ".png")


class HubServer(ThreadingHTTPServer):
    """Repositories by name: their visibility, their files' bytes, how many commits they have."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories: dict[str, dict[str, Any]] = {}
        self.large: dict[str, bytes] = {}
        self.answer: int | None = None  # a status with which everything is answered
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        """What HF_ENDPOINT is set to."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def close(self) -> None:
        """End it."""
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: HubServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Nothing: the tests look at what was kept."""

    def do_POST(self) -> None:  # noqa: N802
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self._refused():
            return
        if self.path == "/api/repos/create":
            return self._create(json.loads(body))
        if self.path.endswith(".git/info/lfs/objects/batch"):
            return self._batch(json.loads(body))
        if self.path == "/api/validate-yaml":  # of the card's head; the real hub looks closer
            return self._send({"errors": [], "warnings": []})
        name = "/".join(self.path.split("/")[3:5])
        repository = self.server.repositories.get(name)
        if repository is None:
            return self._send({"error": "Repository not found"}, 404, "RepoNotFound")
        if "/preupload/" in self.path:
            return self._preupload(repository, json.loads(body))
        return self._commit(name, repository, [json.loads(line) for line in body.splitlines()])

    def do_PUT(self) -> None:  # noqa: N802
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.large[self.path.rpartition("/")[2]] = content
        self._send({})

    def do_GET(self) -> None:  # noqa: N802
        if self._refused():
            return
        name = "/".join(self.path.split("/")[3:5])
        repository = self.server.repositories[name]
        self._send({"id": name, "sha": _sha(name, repository["commits"])})

    def _refused(self) -> bool:
        status = self.server.answer
        if status is None and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            status = 401
        if status is not None:
            self._send({"error": "no"}, status)
        return status is not None

    def _create(self, asked: dict[str, Any]) -> None:
        name = f"{asked['organization']}/{asked['name']}"
        if name in self.server.repositories:
            self._send({"error": "You already created this model repo", "url": f"{self.server.address}/{name}"}, 409)
            return
        private = asked.get("visibility") == "private" or asked.get("private") is True
        self.server.repositories[name] = {"private": private, "files": {}, "commits": 0}
        self._send({"url": f"{self.server.address}/{name}", "name": name})

    def _preupload(self, repository: dict[str, Any], asked: dict[str, Any]) -> None:
        def one(path: str) -> dict[str, Any]:
            large, content = path.endswith(LARGE), repository["files"].get(path)
            oid = None if content is None else (hashlib.sha256(content).hexdigest() if large else _git_oid(content))
            return {"path": path, "uploadMode": "lfs" if large else "regular", "shouldIgnore": False, "oid": oid}

        self._send({"files": [one(file["path"]) for file in asked["files"]]})

    def _batch(self, asked: dict[str, Any]) -> None:
        def action(oid: str) -> dict[str, Any]:
            if oid in self.server.large:
                return {}
            return {"actions": {"upload": {"href": f"{self.server.address}/upload/{oid}"}}}

        objects = [{"oid": one["oid"], "size": one["size"], **action(one["oid"])} for one in asked["objects"]]
        self._send({"transfer": "basic", "objects": objects})

    def _commit(self, name: str, repository: dict[str, Any], lines: list[dict[str, Any]]) -> None:
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                repository["files"][value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                repository["files"][value["path"]] = self.server.large[value["oid"]]
        repository["commits"] += 1
        sha = _sha(name, repository["commits"])
        self._send({"commitUrl": f"{self.server.address}/{name}/commit/{sha}", "commitOid": sha, "success": True})

    def _send(self, answer: dict[str, Any], status: int = 200, code: str | None = None) -> None:
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        if code:
            self.send_header("X-Error-Code", code)
        self.end_headers()
        self.wfile.write(text)


def _git_oid(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _sha(name: str, commits: int) -> str:
    return hashlib.sha1(f"{name} {commits}".encode()).hexdigest()
