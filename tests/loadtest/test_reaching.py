"""Before a load test: an unreachable service is an error of one line, a full one is no error."""

from __future__ import annotations

import asyncio
import ssl
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from loadtest.reaching import reach
from shared.errors import ResourceError
from tests.machines.proxies import certificate


async def silent(socket: ServerConnection) -> None:
    await socket.wait_closed()


async def reached(**options: Any) -> None:
    """Call ``reach`` for a server with the given options."""
    scheme = "wss" if "ssl" in options else "ws"
    async with serve(silent, "127.0.0.1", 0, **options) as server:
        port = server.sockets[0].getsockname()[1]
        await reach(f"{scheme}://user:hidden@127.0.0.1:{port}/ws")


async def test_a_service_is_reached() -> None:
    """A WebSocket is opened and closed, without starting a session."""
    await reached()


@pytest.mark.parametrize("status", [HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS])
async def test_a_full_service_is_accepted(status: HTTPStatus) -> None:
    """The run is meant to measure it."""
    await reached(process_request=lambda connection, _: connection.respond(status, "full\n"))


@pytest.mark.parametrize("status", [HTTPStatus.OK, HTTPStatus.NOT_FOUND, HTTPStatus.UNAUTHORIZED])
async def test_an_ordinary_page_is_refused(status: HTTPStatus) -> None:
    """The message has the status but not the password."""
    with pytest.raises(ResourceError, match=f"HTTP {status.value}") as caught:
        await reached(process_request=lambda connection, _: connection.respond(status, "page\n"))
    assert "hidden" not in str(caught.value)


async def test_an_untrusted_certificate_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names a remedy that works."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate(tmp_path))
    with pytest.raises(ResourceError, match=r"certificate is not trusted.*SSL_CERT_FILE"):
        await reached(ssl=context)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "lunapass.pem"))
    await reached(ssl=context)


async def test_another_protocol_is_reported() -> None:
    """Another server's port is refused."""

    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ResourceError, match="does not speak WebSocket"):
            await reach(f"ws://127.0.0.1:{port}/ws")
