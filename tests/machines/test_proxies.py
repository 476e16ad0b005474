"""nginx and HAProxy before two cells: sticky by session id, and a dead gateway loses no session."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
import websockets
from websockets.typing import Origin

from lunapass_client import Answer, Client, Verdict
from shared.wire.protocol import Codec, Command
from tests.machines.machine import wait_until
from tests.machines.proxies import proxy
from tests.support.service import UNPACED, Service, running
from tests.support.stamp import stamped_jpeg

SESSIONS = 8
MAX_PER_ADDRESS = 60
LIMITS = f"{UNPACED}sessionsPerAddress = {MAX_PER_ADDRESS}\nhandshakesPerAddress = 1000.0\n"
PUBLIC = "kiosk.example.org"
"""The name in the examples."""


@pytest.fixture(scope="module")
def cells() -> Iterator[list[Service]]:
    """Two services, cell 0 and cell 1, that trust a proxy on this machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LUNAPASS__LUNA_PASS__TRUSTEDPROXIES", '["127.0.0.1"]')
        patch.setenv("LUNAPASS__LUNA_PASS__HOSTS", f'["{PUBLIC}"]')
        with (
            running(LIMITS, workers=1) as first,
            running(f"firstCell = 1\n{LIMITS}", workers=1) as second,
        ):
            yield [first, second]


@dataclass
class Front:
    """A running proxy."""

    port: int

    @property
    def url(self) -> str:
        return f"wss://127.0.0.1:{self.port}/ws"

    def get(self, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
        url = f"https://127.0.0.1:{self.port}{path}"
        return httpx.get(url, headers=headers, verify=False, trust_env=False)

    def status_of(self, request: bytes) -> int:
        """Return the status of the answer to these bytes."""
        context = ssl._create_unverified_context()
        with (
            socket.create_connection(("127.0.0.1", self.port), 30) as line,
            context.wrap_socket(line) as wrapped,
        ):
            wrapped.sendall(request)
            return int(wrapped.makefile("rb").readline().split(b" ")[1])

    def ready(self) -> bool:
        try:
            return self.get("/readyz").status_code == 200
        except httpx.HTTPError:
            return False


@pytest.fixture(params=["nginx", "haproxy"])
def front(
    request: pytest.FixtureRequest,
    cells: list[Service],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Front]:
    for cell in cells:
        cell.wait_ready()
    with proxy(request.param, tmp_path, [cell.port for cell in cells]) as port:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "lunapass.pem"))
        started = Front(port)
        wait_until(started.ready, request.param)
        yield started


async def until_verdict(url: str, first_frame: asyncio.Event) -> tuple[str | None, Verdict]:
    """Run a session of two seconds; return its id and its verdict."""

    async def frames() -> AsyncIterator[bytes]:
        for number in range(20):
            yield stamped_jpeg(1, 1)
            if number == 1:
                first_frame.set()
            await asyncio.sleep(0.1)
        while True:
            yield stamped_jpeg(1, 50)

    async with Client(url, resumes=20) as client:
        identity = client.session_id
        verdict = await client.check(frames())
        assert client.session_id == identity
        return identity, verdict


async def test_a_killed_gateway_loses_no_session(front: Front, cells: list[Service]) -> None:
    """Under load over TLS, one of two gateways dies: every session ends in its own verdict."""
    begun = [asyncio.Event() for _ in range(SESSIONS)]
    running_sessions = [asyncio.create_task(until_verdict(front.url, event)) for event in begun]
    await asyncio.gather(*(event.wait() for event in begun))
    os.kill(cells[0].pids("gateway")[0], signal.SIGKILL)
    ended = await asyncio.gather(*running_sessions)
    assert all(verdict.accepted for _, verdict in ended)
    of_cell = {identity[:2] for identity, _ in ended if identity}
    assert of_cell == {"00", "01"}  # new sessions went to both cells


async def test_a_resuming_client_reaches_its_cell(front: Front) -> None:
    """This holds for sessions of either cell, however many others connect in between."""
    for _ in range(4):
        async with Client(front.url) as client:
            await client.send_frame(stamped_jpeg(1, 1))
            await client.receive()
        again = Client(front.url, session_id=client.session_id, resume_token=client.resume_token)
        async with Client(front.url), again:
            assert again.connected is not None
            assert again.connected.command is Command.CONNECTED
            assert again.connected.headers["seq"] == 1


@pytest.mark.parametrize("kind", ["nginx", "haproxy"])
def test_the_address_of_the_client_is_forwarded(kind: str, tmp_path: Path) -> None:
    """The gateway gets the address that the proxy saw, not the one that the client claims."""
    with echo() as (port, heard), proxy(kind, tmp_path, [port, port]) as front_port:
        front = Front(front_port)
        wait_until(front.ready, kind)
        for path in ("/", "/ws", "/ws?session=00"):
            front.get(path, {"X-Forwarded-For": "198.51.100.1"})
            assert heard[-1] == ["127.0.0.1"]


ODD_REQUESTS = [
    (b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabcd", {405}),
    (b"GET /ws HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabcd", {413}),
    (b"GET /x HTTP/1.1\r\nHost: a\r\nX-A: \x01\r\n\r\n", {400}),
    (
        b"GET /x HTTP/1.1\r\nHost: a\r\n" + (b"X: " + b"a" * 7000 + b"\r\n") * 3 + b"\r\n",
        {400, 431},
    ),
]
"""Requests that no cell accepts, and the statuses with which proxy or cell may refuse them."""


async def test_invalid_requests_lock_out_no_client(front: Front) -> None:
    """A client whose requests are refused takes no cell from the others."""
    for request, statuses in ODD_REQUESTS:
        assert {front.status_of(request) for _ in range(3)} <= statuses
    for _ in range(6):
        async with Client(front.url) as client:
            assert client.session_id


@pytest.mark.parametrize("kind", ["nginx", "haproxy"])
def test_requests_without_an_answer_do_not_mark_a_cell_down(kind: str, tmp_path: Path) -> None:
    """Even if a client can make a cell end a connection, others are served."""
    with echo() as (port, _), proxy(kind, tmp_path, [port, port]) as front_port:
        front = Front(front_port)
        wait_until(front.ready, kind)
        assert {front.get("/cut").status_code for _ in range(4)} == {502}
        assert {front.get("/healthz").status_code for _ in range(4)} == {200}


async def test_sessions_are_counted_by_the_address_of_the_client(cells: list[Service]) -> None:
    """Behind a trusted proxy a flood of one client takes nothing from the others."""
    async with contextlib.AsyncExitStack() as stack:

        async def connect(address: str) -> Command:
            headers = {"X-Forwarded-For": address}
            socket = await stack.enter_async_context(
                websockets.connect(cells[0].url, additional_headers=headers)
            )
            await socket.send(Codec.encode(Command.CONNECT, {}))
            return Answer.parse(await socket.recv()).command

        for _ in range(MAX_PER_ADDRESS):
            assert await connect("198.51.100.9") is Command.CONNECTED
        assert await connect("198.51.100.9") is Command.ERROR
        assert await connect("198.51.100.10") is Command.CONNECTED


@contextlib.contextmanager
def echo() -> Iterator[tuple[int, list[list[str]]]]:
    """A server that accepts everything but ``/cut``, and the X-Forwarded-For that it got."""
    heard: list[list[str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/cut":
                return  # ends the connection
            heard.append(self.headers.get_all("X-Forwarded-For", []))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port, heard
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("origin", "admitted"),
    [
        ("https://127.0.0.1:PORT", True),
        ("http://127.0.0.1:PORT", False),
        ("https://127.0.0.1", False),
        ("https://evil.example", False),
    ],
)
async def test_only_the_own_page_may_connect(front: Front, origin: str, admitted: bool) -> None:
    """Behind the proxy, too, a browser's Origin is compared with the address it requested.

    The page's scheme is that of the proxy, although the service itself is requested by http.
    """
    connection = websockets.connect(
        front.url, origin=Origin(origin.replace("PORT", str(front.port)))
    )
    if admitted:
        async with connection:
            return
    with pytest.raises(websockets.InvalidStatus, match="403"):
        await connection


@pytest.mark.parametrize(
    ("name", "path", "status"),
    [
        (PUBLIC, "/ws", None),
        (PUBLIC, "/ws/", None),
        (PUBLIC.upper(), "/ws?session=00", None),
        ("evil.example", "/ws", "421"),
    ],
)
async def test_only_the_public_name_is_served(
    front: Front, name: str, path: str, status: str | None
) -> None:
    """A site whose name resolves to the proxy (DNS rebinding) opens no WebSocket under its name."""
    connection = websockets.connect(
        f"wss://{name}{path}",
        host="127.0.0.1",
        port=front.port,
        ssl=ssl._create_unverified_context(),
        origin=Origin(f"https://{name.lower()}"),
    )
    if status is None:
        async with connection:
            return
    with pytest.raises(websockets.InvalidStatus, match=status):
        await connection


@pytest.mark.parametrize("path", ["/metrics", "/statistics", "/status"])
def test_private_pages_are_not_served(front: Front, path: str) -> None:
    """Clients from outside cannot see the pages about a cell."""
    assert front.get(path).status_code == 404
