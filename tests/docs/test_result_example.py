"""The example that asks for a result gives the service's key to no other path or host."""

from __future__ import annotations

import runpy
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "result.py"
SESSION = "5" * 32


@pytest.fixture
def redirecting() -> Iterator[tuple[str, list[str]]]:
    """A service that redirects every request; its address, and the paths that it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(302)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()


@pytest.mark.parametrize(
    "session", ["../login?next=https://evil.example/#", SESSION[1:], SESSION + "\n", ""]
)
def test_only_a_session_id_becomes_part_of_the_address(
    redirecting: tuple[str, list[str]], session: str
) -> None:
    """Clients report the id, so it may be any text."""
    service, asked = redirecting
    with pytest.raises(ValueError, match="session id"):
        runpy.run_path(str(EXAMPLE))["result_of"](service, session, "key")
    assert asked == []


def test_no_redirect_is_followed(redirecting: tuple[str, list[str]]) -> None:
    """The key would go to the other address."""
    service, asked = redirecting
    with pytest.raises(HTTPError, match="302"):
        runpy.run_path(str(EXAMPLE))["result_of"](service, SESSION, "key", seconds=5)
    assert asked == [f"/sessions/{SESSION}/result"]
