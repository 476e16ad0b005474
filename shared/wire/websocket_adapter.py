"""All uses of ``websockets`` beyond its documented interface in the service.

The library may change these internals in any release, so setup.cfg has an upper version bound, and
tests/shared/wire/test_websocket_adapter.py checks each use against the installed version. The
client has an adapter of its own.
"""

import asyncio
import struct

from websockets.asyncio.server import Server, ServerConnection, broadcast
from websockets.frames import DATA_OPCODES, Frame, Opcode, apply_mask  # type: ignore[attr-defined]
from websockets.http11 import Request, Response
from websockets.protocol import Event, State
from websockets.streams import StreamReader

from shared.wire import binary_frame
from shared.wire.binary_frame import BinaryFrame

_WHOLE_TEXT = 0x80 | Opcode.TEXT
"""First byte of a text message in one frame."""
SERVER_LOGGER = "websockets.server"
"""Logger to which the library writes unexpected behaviour of clients, with a traceback."""


class AdaptedConnection(ServerConnection):
    """A server's connection with hooks for subclasses; has its transport from ``on_open`` on."""

    transport: asyncio.Transport
    _binary: BinaryFrame | None = None
    """The binary message that is being received without the library."""

    def on_open(self) -> None:
        """React to a new TCP connection."""

    def on_end(self) -> None:
        """React to the end of the TCP connection."""

    def on_bytes(self, data: bytes) -> None:
        """Handle received bytes; ``feed`` passes bytes to the library."""
        self.feed(data)

    def on_frame(self, frame: Frame) -> bool:
        """Handle a whole frame of a message; return False to leave it to ``recv``."""
        return False

    def takes_binary(self) -> bool:
        """Return whether ``on_binary`` takes the next binary message, if it is in one frame."""
        return False

    def on_binary(self, message: bytes) -> None:
        """Handle a binary message that bypasses the library."""

    def on_written(self) -> None:
        """React after the library has written its output."""

    def feed(self, data: bytes) -> None:
        """Read binary messages for ``on_binary``, and have the library process all other bytes."""
        position = 0
        while position < len(data):
            frame = self._binary
            if frame is None:
                begun = self._begin_binary(data, position)
                if begun is None:
                    super().data_received(data[position:])
                    return
                frame, position = begun
            position = frame.add(data, position)
            if frame.missing:
                self._binary = frame
            else:
                self._binary = None
                self.on_binary(apply_mask(frame.masked, frame.mask))

    def _begin_binary(self, data: bytes, position: int) -> tuple[BinaryFrame, int] | None:
        """Read the head of a binary message, if ``on_binary`` takes it.

        The library must be between two messages, on an open connection without extensions.
        """
        protocol = self.protocol
        if (
            not self.takes_binary()
            or protocol.reader.buffer
            or protocol.current_size is not None
            or protocol.state is not State.OPEN
            or protocol.extensions
            or protocol.max_message_size is None
        ):
            return None
        return binary_frame.begin(data, position, protocol.max_message_size)

    def unfinished_bytes(self) -> int:
        """Return how many bytes of an incomplete frame have arrived."""
        binary = self._binary
        return len(self.protocol.reader.buffer if binary is None else binary.masked)

    @property
    def is_answered(self) -> bool:
        """Whether the request was answered."""
        return self.protocol.state is not State.CONNECTING or self.protocol.eof_sent

    @property
    def is_refused(self) -> bool:
        """Whether the answer was not an upgrade."""
        return self.protocol.state is State.CONNECTING and self.protocol.eof_sent

    def refuse(self, response: Response) -> None:
        """Answer a request that was not passed to the library."""
        self.protocol.send_response(response)
        self.send_data()

    def disable_close_timeout(self) -> None:
        """Let the closing handshake take as long as the caller allows."""
        self.close_timeout = None

    def discard_incomplete(self) -> None:
        """Discard the bytes that ``unfinished_bytes`` counts."""
        self._binary = None
        self.protocol.reader.buffer.clear()

    def resume_reading(self) -> None:
        """Resume reading; while the library's queue is full, the library resumes it later."""
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
            # The library's parser holds the frame until the next one arrives, maybe never.
            event.data = b""
        else:
            super().process_event(event)

    def send_data(self) -> None:
        """Write the library's output."""
        if self.protocol.writes:  # after a received frame there is usually none
            super().send_data()
        self.on_written()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the connection and release its memory."""
        self.on_end()
        super().connection_lost(exc)
        self._break_cycles()

    def _break_cycles(self) -> None:
        """Break the reference cycles of the library's parser.

        Otherwise the last message of each ended connection stays in memory until a full garbage
        collection, maybe an hour later: collections depend on the number of objects, not bytes.
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
        """Parse a line or a part of one; return whether the head is complete.

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
    """Close only the listening socket.

    Connections that were accepted before may finish their handshake; the library on its own would
    answer them with 503.
    """
    server.is_serving = lambda: True  # type: ignore[method-assign]
    server.server.close()


def send_at_once(connection: ServerConnection, text: str) -> None:
    """Write a text without waiting for a turn of the event loop; discard it after a close frame.

    ``broadcast`` does the same at twice the cost, but also for connections with extensions.
    """
    if connection.protocol.extensions:
        broadcast((connection,), text)
    elif connection.protocol.state is State.OPEN:
        payload = text.encode()
        connection.transport.write(_text_head(len(payload)) + payload)


def _text_head(length: int) -> bytes:
    """Return the head of a server's text frame (RFC 6455, 5.2)."""
    if length < 126:
        return bytes((_WHOLE_TEXT, length))
    if length < 65_536:
        return struct.pack("!BBH", _WHOLE_TEXT, 126, length)
    return struct.pack("!BBQ", _WHOLE_TEXT, 127, length)
