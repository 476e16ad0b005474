"""Receivers of callbacks: an ordinary web server, and one that misbehaves below HTTP."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Receiver:
    """A receiver that answers with the statuses of a list, then with 204.

    Attributes:
        got: headers and body of each request.
        location: the header Location of its responses; empty for none.
        holds: bodies of requests whose response waits until ``close``.
    """

    def __init__(self, port: int = 0) -> None:
        self.statuses: list[int] = []
        self.location = ""
        self.holds: Callable[[dict[str, Any]], bool] = lambda _: False
        self.got: list[tuple[dict[str, str], bytes]] = []
        self._closing = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append((dict(self.headers), body))
                if receiver.holds(json.loads(body)):
                    receiver._closing.wait()
                    return
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 204)
                if receiver.location:
                    self.send_header("Location", receiver.location)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def sessions(self) -> list[str]:
        """Sessions whose answers arrived, in order."""
        return [headers["Idempotency-Key"] for headers, _ in self.got]

    def close(self) -> None:
        self._closing.set()
        self.server.shutdown()
        self.server.server_close()


@contextlib.contextmanager
def raw_receiver(behave: Callable[[socket.socket], None]) -> Iterator[tuple[int, list[int]]]:
    """Run a server that treats each connection as the test defines.

    Yields:
        Its port, and a list that has one entry for each connection so far.
    """
    connections: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):  # if the client disconnects
                behave(connection)

        def accept() -> None:
            while True:
                try:
                    connection, (_, port) = server.accept()
                except OSError:
                    return
                connections.append(port)
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1], connections
        server.shutdown(socket.SHUT_RDWR)
