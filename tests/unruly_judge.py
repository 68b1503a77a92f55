"""A real HTTP server of the judge's protocol that answers, and errs, as a test tells it to."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, dict[str, str], Any]


def said(text: str | None) -> Answer:
    return 200, {}, {"model": "large-2026", "choices": [{"message": {"role": "assistant", "content": text}}]}


class Server(ThreadingHTTPServer):
    """Gives the next of its answers, the last again and again."""

    daemon_threads = True

    def __init__(self) -> None:
        self.answers: list[Answer] = [said("[[A]]")]
        self.received: list[dict[str, Any]] = []
        self.seconds = 0.0  # before each answer
        self.lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        return  # a client that has not waited for the answer

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(BaseHTTPRequestHandler):
    """Of one request."""

    server: Server

    def do_POST(self) -> None:  # noqa: N802
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.received.append(
                {"path": self.path, "authorization": self.headers["Authorization"], "body": body}
            )
            status, headers, content = self.server.answers[0]
            if len(self.server.answers) > 1:
                self.server.answers.pop(0)
        time.sleep(self.server.seconds)
        data = content.encode() if isinstance(content, str) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in (*headers.items(), ("Content-Length", str(len(data)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        return
