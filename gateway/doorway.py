"""A client's socket from its first byte: how many there may be, how much they may cost.

The WebSocket library bounds messages and times; what it leaves open is bounded here: sockets that
never ask for an upgrade, endless headers, and answers it gives by itself to a client that does not
read them (pongs).

Pictures have a short way through it, without the library's queue and without a turn of the reader's
task.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from websockets.asyncio.server import Server, ServerConnection
from websockets.frames import Frame, Opcode
from websockets.protocol import Event
from websockets.server import ServerProtocol

from shared.config import LimitsSection


@dataclass
class Doors:
    """What all sockets of a gateway share.

    Attributes:
        limits: the bounds.
        most: sockets that may be open; one over that is cut at once.
        open: sockets open now.
    """

    limits: LimitsSection
    most: int
    open: int = 0

    def connection(self, protocol: ServerProtocol, server: Server, **options: Any) -> Doorway:
        """Make a connection; for ``websockets.serve(create_connection=...)``."""
        return Doorway(self, protocol, server, **options)


class Doorway(ServerConnection):
    """A connection that counts itself and what it is sent before the upgrade.

    Attributes:
        take_picture: gets each binary message as it comes, unless one before it still waits for
            the reader of ``next_message``; None leaves all to that reader.
    """

    def __init__(self, doors: Doors, protocol: ServerProtocol, server: Server, **options: Any):
        super().__init__(protocol, server, **options)
        self._doors = doors
        self._head_bytes = 0
        self._in_line = 0
        self._last_bytes = 0
        self.take_picture: Callable[[bytes], None] | None = None

    async def next_message(self) -> str | bytes:
        """Await the next message that went no other way.

        Raises:
            ConnectionClosed: the connection has ended.
        """
        message = await self.recv()
        self._in_line -= 1
        return message

    def process_event(self, event: Event) -> None:
        """Hand a whole picture over at once where nothing is in line before it."""
        if isinstance(event, Frame) and event.opcode in (Opcode.TEXT, Opcode.BINARY):
            whole_picture = event.fin and event.opcode is Opcode.BINARY
            if whole_picture and self._in_line == 0 and self.take_picture is not None:
                self.take_picture(bytes(event.data))
                return
            self._in_line += 1
        super().process_event(event)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a socket, or end it at once where there are too many."""
        self._doors.open += 1
        super().connection_made(transport)
        if self._doors.open > self._doors.most:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place to another."""
        self._doors.open -= 1
        self.take_picture = None  # which holds the session's connection, and that this socket
        super().connection_lost(exc)

    def await_farewell(self, queued: int) -> None:
        """Leave it to the caller how long the connection's end takes.

        Args:
            queued: bytes that the caller has still to write; these and what is written already
                do not count as unread answers.
        """
        self.close_timeout = None
        self._last_bytes = queued + self.transport.get_write_buffer_size()

    def data_received(self, data: bytes) -> None:
        """Hand bytes on, as long as they and the answers to them stay within bounds."""
        super().data_received(data)
        limits = self._doors.limits
        if self.request is None:
            self._head_bytes += len(data)
            if self._head_bytes > limits.headerBytes:
                self.transport.abort()
        if self.transport.get_write_buffer_size() > limits.queuedBytes + self._last_bytes:
            self.transport.abort()
