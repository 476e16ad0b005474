"""An HTTP server that follows the public facts of LUNA PLATFORM 3, or misbehaves as planned."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "00000000-0000-4000-8000-000000000000"
FACE = {
    "id": "f",
    "rect": {"x": 1, "y": 2, "width": 3, "height": 4},
    "score": 0.9,
    "quality": {"light": 0.8, "dark": 0.7, "saturation": 0.6, "blurriness": 0.5},
}


@cache
def bomb() -> bytes:
    """Build, once, a few thousand bytes that inflate to thirty megabytes."""
    return gzip.compress(gzip.compress(bytes(30_000_000), 1), 1)


class LunaPlatform(ThreadingHTTPServer):
    """The server.

    Attributes:
        plan: behaviour for the next requests; the last one applies to all further ones.
        photos: bodies received.
        requests: requests received, as method, path and headers.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.plan: list[str] = ["201"]
        self.face: dict[str, Any] = FACE
        self.photos: list[bytes] = []
        self.requests: list[tuple[str, str, dict[str, str]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def next_behaviour(self) -> str:
        return self.plan.pop(0) if len(self.plan) > 1 else self.plan[0]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that disconnected, which is no error of the server."""


class _Handler(BaseHTTPRequestHandler):
    server: LunaPlatform
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output clean."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.photos.append(body)
        self.server.requests.append((self.command, self.path, dict(self.headers)))
        behaviour = self.server.next_behaviour()
        if behaviour == "slow":
            time.sleep(1.0)
            behaviour = "201"
        if self.headers.get("X-Auth-Token") != TOKEN:
            self._answer(401, {"error_code": 12010, "detail": "Account not found."})
        elif behaviour == "cut":
            self.wfile.write(b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{")
            self.close_connection = True
        elif behaviour == "201":
            self._answer(201, {"faces": [self.server.face]})
        elif behaviour == "no face":
            self._answer(201, {"faces": []})
        elif behaviour == "400":
            self._answer(400, {"error_code": 36003, "detail": "No faces found."})
        elif behaviour == "huge":
            self._raw(201, b"{" + b" " * 200_000)
        elif behaviour == "bomb":
            self._raw(201, bomb(), **{"Content-Encoding": "gzip, gzip"})
        elif behaviour == "not json":
            self._raw(201, b"<html>")
        elif behaviour == "moved":
            self._raw(302, b"", Location="http://127.0.0.1:1/")
        else:
            self._answer(500, {"error_code": 1, "detail": "Internal server error"})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        self._raw(status, json.dumps(body).encode())

    def _raw(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def luna_platform() -> Iterator[LunaPlatform]:
    """Run the server on a free port until the block ends."""
    server = LunaPlatform()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
