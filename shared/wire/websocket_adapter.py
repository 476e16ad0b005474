"""All uses of ``websockets`` beyond its documented interface, under names of this project.

The library may change these parts in any release, so setup.cfg has an upper bound for it, and
tests/shared/wire/test_websocket_adapter.py checks each of them against the installed version.
"""

from __future__ import annotations

import asyncio
import socket

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.server import Server, ServerConnection, broadcast
from websockets.frames import DATA_OPCODES, Frame
from websockets.http11 import Request, Response
from websockets.protocol import Event, State
from websockets.streams import StreamReader
from websockets.sync.client import ClientConnection as SyncClientConnection

SERVER_LOGGER = "websockets.server"
"""The library logs here, with a traceback, what it does not expect of a client."""


class AdaptedConnection(ServerConnection):
    """A server's connection with steps that a subclass may extend.

    Attributes:
        transport: the TCP connection, once ``on_open`` is called.
    """

    transport: asyncio.Transport

    def on_open(self) -> None:
        """React to a new TCP connection."""

    def on_end(self) -> None:
        """React to the end of the TCP connection."""

    def on_bytes(self, data: bytes) -> None:
        """Take bytes that arrived; ``feed`` gives bytes to the library."""
        self.feed(data)

    def on_frame(self, frame: Frame) -> bool:
        """Take a whole frame of a message; False leaves it to ``recv``."""
        return False

    def on_written(self) -> None:
        """React after the library has written what it had to write."""

    def feed(self, data: bytes) -> None:
        """Have the library process bytes."""
        super().data_received(data)

    @property
    def is_answered(self) -> bool:
        """Whether the request has its answer."""
        return self.protocol.state is not State.CONNECTING or self.protocol.eof_sent

    @property
    def is_refused(self) -> bool:
        """Whether that answer was not an upgrade."""
        return self.protocol.state is State.CONNECTING and self.protocol.eof_sent

    def refuse(self, response: Response) -> None:
        """Answer a request that the library was not given."""
        self.protocol.send_response(response)
        self.send_data()

    def disable_close_timeout(self) -> None:
        """Leave it to the caller how long the closing handshake takes."""
        self.close_timeout = None

    def discard_incomplete(self) -> None:
        """Discard the bytes that ``incomplete_bytes`` counts."""
        self.protocol.reader.buffer.clear()

    def resume_reading(self) -> None:
        """Read again, unless the library's queue is full: then the library resumes."""
        if not self.recv_messages.paused:
            self.transport.resume_reading()

    # Called by the library or by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the handshake."""
        super().connection_made(transport)
        self.on_open()

    def data_received(self, data: bytes) -> None:
        """Pass bytes to the subclass."""
        self.on_bytes(data)

    def process_event(self, event: Event) -> None:
        """Pass the frames of messages to the subclass."""
        if isinstance(event, Frame) and event.opcode in DATA_OPCODES and self.on_frame(event):
            # The library's parser holds the frame until the next one comes, maybe never.
            event.data = b""
        else:
            super().process_event(event)

    def send_data(self) -> None:
        """Write what the library has to write."""
        super().send_data()
        self.on_written()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the connection and release its memory."""
        self.on_end()
        super().connection_lost(exc)
        self._break_cycles()

    def _break_cycles(self) -> None:
        """Release what the library's parser holds, which in turn holds the parser.

        Else the last message of each ended connection stays until a full garbage collection, which
        may be an hour away: collections follow the number of objects, not their bytes.
        """
        self.protocol.parser.close()
        if self.protocol.parser_exc is not None:
            self.protocol.parser_exc.__traceback__ = None


class HeadParser:
    """Parses the head of a request as the library does."""

    def __init__(self) -> None:
        self._lines = StreamReader()
        self._parser = Request.parse(self._lines.read_line)
        next(self._parser)

    def feed(self, line: bytes) -> bool:
        """Take a line, or a part of one.

        Returns:
            Whether the head is complete.

        Raises:
            websockets.exceptions.SecurityError: a line is too long, or there are too many.
            EOFError, NotImplementedError, ValueError: the library does not accept this request.
        """
        self._lines.feed_data(line)
        try:
            next(self._parser)
        except StopIteration:
            return True
        return False


def stop_accepting(server: Server) -> None:
    """Close the listening socket only.

    A connection that was accepted before may still finish its handshake; the library would answer
    it with 503 from now on.
    """
    server.is_serving = lambda: True  # type: ignore[method-assign]
    server.server.close()


def send_at_once(connection: ServerConnection, text: str) -> None:
    """Write a text without waiting for a turn of the event loop."""
    broadcast((connection,), text)


def transport_of(connection: ClientConnection) -> asyncio.Transport:
    """Return a client's TCP connection."""
    return connection.transport


def socket_of(connection: SyncClientConnection) -> socket.socket:
    """Return a synchronous client's TCP connection."""
    return connection.socket


def cut(connection: SyncClientConnection) -> None:
    """End a synchronous client's connection without a closing handshake."""
    connection.close_socket()


def incomplete_bytes(connection: ServerConnection | ClientConnection | SyncClientConnection) -> int:
    """Return how many bytes of an incomplete frame have arrived."""
    return len(connection.protocol.reader.buffer)
