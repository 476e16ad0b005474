"""The queue of answers to a client, and the end of its connection."""

import asyncio
import contextlib
from collections import deque

from websockets.exceptions import ConnectionClosed

from gateway.web.client_socket import ClientSocket
from gateway.web.closing import ClosingTimer
from shared.process.clock import SYSTEM, Clock
from shared.wire.protocol import CloseCode
from shared.wire.websocket_adapter import send_at_once


class Outbox:
    """Sends texts in order; may be called from anywhere on the loop.

    At most ``queued_bytes`` may wait for a client that does not read. An ending connection has a
    ``close_code``.
    """

    def __init__(self, socket: ClientSocket, queued_bytes: int, *, clock: Clock = SYSTEM) -> None:
        self._socket = socket
        self._max_queued_bytes = queued_bytes
        self._clock = clock
        self._queue: deque[tuple[str, int]] = deque()  # texts and their bytes
        self._queued_bytes = 0
        self.close_code: CloseCode | None = None
        self._close_reason = ""
        self._closing_timer: ClosingTimer | None = None
        self._wake = asyncio.Event()

    def send(self, text: str) -> None:
        """Queue a text; disconnect a client that does not read."""
        if self.close_code is not None:
            return
        self._put(text)
        if self._queued_bytes > self._max_queued_bytes:
            self._queue.clear()
            self.close_code, self._close_reason = CloseCode.SLOW_CLIENT, "answers are not read"
            self._socket.transport.abort()

    def end_with(self, text: str, code: CloseCode, reason: str) -> None:
        """Send a last text and close.

        ``queued_bytes`` does not limit this text: it is sent once, and a verdict must not be lost
        because answers to frames are still queued. The closing timer limits their waiting time.
        """
        if self.close_code is None:
            self._put(text)
            self._close(code, reason, len(text.encode()))

    def _put(self, text: str) -> None:
        if not self._queue and self._socket.transport.get_write_buffer_size() == 0:
            send_at_once(self._socket, text)  # nothing waits
            return
        size = len(text.encode())
        self._queue.append((text, size))
        self._queued_bytes += size
        self._wake.set()

    def close(self, code: CloseCode, reason: str) -> None:
        """End the connection once the queue is written, or the client stops reading it."""
        if self.close_code is None:
            self._close(code, reason, 0)
        elif code is CloseCode.REPLACED:  # the new connection sends the queued answers again
            self._socket.transport.abort()

    def _close(self, code: CloseCode, reason: str, last_bytes: int) -> None:
        self.close_code, self._close_reason = code, reason
        self._socket.prepare_close(self._queued_bytes)
        self._closing_timer = ClosingTimer(self._socket.transport, last_bytes, clock=self._clock)
        self._wake.set()

    def end_within(self, seconds: float) -> None:
        """Limit the time that an ending connection may still take."""
        if self._closing_timer is not None:
            self._closing_timer.end_within(seconds)

    async def write(self) -> None:
        """Write the queue until the connection ends."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                text, size = self._queue[0]
                await self._socket.send(text)
                if self._queue:
                    self._queue.popleft()
                    self._queued_bytes -= size
            if self.close_code is not None:
                await self._socket.close(self.close_code, self._close_reason)
                return

    async def finish(self, writer: asyncio.Task[None]) -> None:
        """Wait until the task of ``write`` has written the queue, limited by the closing timer."""
        if self.close_code is None:
            writer.cancel()
        with contextlib.suppress(ConnectionClosed, asyncio.CancelledError):
            await writer
        if self._closing_timer is not None:
            self._closing_timer.cancel()
