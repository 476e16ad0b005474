"""The asynchronous client."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from websockets.asyncio.client import ClientConnection, connect

from lunapass_client.answers import Answer, Verdict
from lunapass_client.conversation import encode
from lunapass_client.errors import Disconnected, client_errors
from lunapass_client.protocol import Command
from lunapass_client.session import Frames, Listener, SessionClient
from lunapass_client.standstill import Movement
from lunapass_client.tcp import Line, unread_bytes
from lunapass_client.websocket_adapter import incomplete_bytes, transport_of


class Client(SessionClient):
    """One session; use it as an asynchronous context manager.

    ``SessionClient`` describes the arguments. ``check`` runs the whole session; the other methods
    send and receive single messages.
    """

    _socket: ClientConnection | None = None

    async def __aenter__(self) -> Client:
        await self._connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.socket.close()

    @property
    def socket(self) -> ClientConnection:
        """The open WebSocket."""
        assert self._socket is not None, "use the client with 'async with'"
        return self._socket

    @property
    def arrived_bytes(self) -> int:
        """Bytes received so far of an incomplete message; on a slow line a long one takes time."""
        return incomplete_bytes(self.socket)

    @property
    def close_code(self) -> int | None:
        """Close code of the service, once it has ended the connection."""
        return self.socket.close_code

    async def check(self, frames: Frames, on_answer: Listener | None = None) -> Verdict:
        """Send frames, one at a time, until the verdict.

        Args:
            frames: encoded images, read as they are needed; the caller paces them.
            on_answer: called with each answer, to show the person what to change.

        Raises:
            Refused: the service refuses the session or ends it.
            NoVerdict: the frames ran out, or the session could not be resumed.
        """
        return await self._check(frames, on_answer)

    async def send_frame(self, data: bytes) -> None:
        """Send one encoded image."""
        await self._send(data)

    async def send(self, command: Command) -> None:
        """Send a command without headers."""
        await self._send(encode(command))

    async def receive(self, *, seconds: float | None = None) -> Answer:
        """Await the next message. Announcements of RESULT are skipped.

        Args:
            seconds: longest time without a byte in either direction; by default ``patience``.

        Raises:
            Silent: no byte was sent or received for that time.
            Disconnected: the connection has ended.
            BadAnswer: the message violates the protocol.
        """
        return await self._receive(seconds)

    async def answers(self) -> AsyncIterator[Answer]:
        """Yield messages until the connection ends."""
        with contextlib.suppress(Disconnected):
            while True:
                yield await self.receive()

    def abort(self) -> None:
        """End the connection without a closing handshake; the session can be resumed."""
        transport_of(self.socket).abort()

    async def _open(self, address: str) -> Line:
        self._socket = await connect(address, **self._options)
        line: Line = transport_of(self._socket).get_extra_info("socket")
        return line

    async def _write(self, message: bytes | str) -> None:
        await self.socket.send(message)

    async def _read(self, seconds: float) -> Answer | None:
        try:
            async with asyncio.timeout(seconds):  # unlike wait_for, needs no task
                with client_errors():
                    raw = await self.socket.recv()
        except TimeoutError:
            return None
        return Answer.parse(raw)

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def _movement(self) -> Movement:
        return Movement(self.arrived_bytes, unread_bytes(transport_of(self.socket)))
