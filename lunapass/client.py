"""A small asynchronous client of the service, for tests, load and integrations in Python."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from shared.protocol import SUBPROTOCOL, Codec, Command


@dataclass(frozen=True, slots=True)
class Answer:
    """A message of the server."""

    command: Command
    headers: dict[str, Any]
    body: Any

    @property
    def seq(self) -> int | None:
        """Number of the frame it answers, if it answers one."""
        return self.headers.get("seq")


class Client:
    """One session over one connection; use it as an asynchronous context manager.

    Args:
        url: address such as ``ws://host:8321/ws``.
        session_id: session to resume.
        resume_token: its token.
        client: what to tell of the client, such as ``{"mirrored": True}``.

    Attributes:
        session_id: id of the session, once connected.
        resume_token: token with which it may be resumed.
        close_code: why the server ended the connection, once it did.
    """

    def __init__(
        self,
        url: str,
        *,
        session_id: str | None = None,
        resume_token: str | None = None,
        client: dict[str, Any] | None = None,
    ) -> None:
        self._url = url
        self._client = client or {}
        self.session_id = session_id
        self.resume_token = resume_token
        self.connected: Answer | None = None
        self._socket: ClientConnection | None = None

    async def __aenter__(self) -> Client:
        self._socket = await connect(
            self._url, compression=None, subprotocols=[Subprotocol(SUBPROTOCOL)], max_size=None
        )
        headers: dict[str, Any] = {"client": self._client}
        if self.session_id is not None:
            headers |= {"session-id": self.session_id, "resume-token": self.resume_token}
        await self._socket.send(Codec.encode(Command.CONNECT, headers))
        self.connected = await self.receive()
        if self.connected.command is Command.CONNECTED:
            self.session_id = self.connected.headers["session-id"]
            self.resume_token = self.connected.headers["resume-token"]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.socket.close()

    @property
    def socket(self) -> ClientConnection:
        """The open WebSocket."""
        assert self._socket is not None, "use the client with 'async with'"
        return self._socket

    @property
    def close_code(self) -> int | None:
        """Why the connection ended."""
        return self.socket.close_code

    async def send_frame(self, data: bytes) -> None:
        """Send one encoded picture."""
        await self.socket.send(data)

    async def send(self, command: Command) -> None:
        """Send a command without headers."""
        await self.socket.send(Codec.encode(command))

    async def receive(self, *, seconds: float = 30.0) -> Answer:
        """Await the next message.

        Raises:
            TimeoutError: none came in time.
            websockets.exceptions.ConnectionClosed: the connection is over.
        """
        raw = await asyncio.wait_for(self.socket.recv(), seconds)
        value = json.loads(raw)
        return Answer(Command(value["command"]), value["headers"], value["body"])

    async def answers(self) -> AsyncIterator[Answer]:
        """Yield messages until the connection ends."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                yield await self.receive()
