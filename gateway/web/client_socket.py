"""A client's socket from its first byte: limits on the number of sockets and on what each costs.

The WebSocket library limits messages and times. The rest is limited here: sockets that never
request an upgrade, endless headers, and the library's own answers (pongs) to a client that does not
read. The library gets the head of the request only when it is complete, and what follows only once
the request is answered: it would parse that as WebSocket frames, and fail on a second request or a
body.

Whole frames bypass the library's queue and the reader's task.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import Server
from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol

from gateway import metrics
from gateway.limits.inflow import Inflow, Meter
from gateway.web.http import respond, without_body
from gateway.web.request_head import METHODS, RequestHead, UnfitRequest
from shared.config.service import LimitsSection
from shared.wire.websocket_adapter import AdaptedConnection

DISCARDED_BYTES = 1_048_576
"""Bytes to read and discard after a request that was answered without an upgrade.

Closing a socket with unread bytes resets it, and the client may lose the answer. This is the body
size that nginx passes on by default.
"""


@dataclass
class ClientSockets:
    """State that all client sockets of a gateway share.

    Attributes:
        max_open: maximum number of open sockets; further ones are aborted.
        inflow: limits what clients send; None for no limit.
    """

    limits: LimitsSection
    max_open: int
    inflow: Inflow | None = None
    open: int = 0

    def connection(self, protocol: ServerProtocol, server: Server, **options: Any) -> ClientSocket:
        """Make a connection; for ``websockets.serve(create_connection=...)``."""
        return ClientSocket(self, protocol, server, **options)


class ClientSocket(AdaptedConnection):
    """A client's connection, limited from its first byte.

    Attributes:
        on_image: called with each binary message at once, unless an earlier message still waits
            in ``next_message``; None leaves all messages to ``next_message``.
    """

    def __init__(
        self, sockets: ClientSockets, protocol: ServerProtocol, server: Server, **options: Any
    ):
        super().__init__(protocol, server, **options)
        self._shared = sockets
        self._loop = asyncio.get_running_loop()
        self._head = RequestHead(sockets.limits.headerBytes)
        self._early: bytes | None = None
        self._discarded_bytes = 0
        self.received_bytes = 0
        self._in_line: deque[int] = deque()
        self._last_bytes = 0
        # The state of the request. Not a bound method: that would be a reference cycle.
        self._handle: Callable[[ClientSocket, bytes], None] = ClientSocket._read_head
        self._resuming: asyncio.TimerHandle | None = None
        self.on_image: Callable[[bytes], None] | None = None
        self._meter: Meter | None = None
        self._overflow: Callable[[], None] | None = None

    def measure(self, address: str, overflow: Callable[[], None]) -> None:
        """Start to limit what the client sends.

        ``overflow`` is called when there is no room for received bytes; reading stops then.
        """
        if self._shared.inflow is not None:
            self._meter = self._shared.inflow.meter(address)
            self._overflow = overflow

    async def next_message(self) -> str | bytes:
        """Await the next message that was not passed to ``on_image``.

        Raises:
            ConnectionClosed: the connection has ended.
        """
        message = await self.recv()
        self._in_line.popleft()
        self._hold()
        return message

    def takes_binary(self) -> bool:
        """Return whether ``on_image`` is set and no message is queued before the next one."""
        return self.on_image is not None and not self._in_line

    def on_binary(self, message: bytes) -> None:
        """Pass a whole image to ``on_image``."""
        if self.on_image is not None:  # it was when the image began
            self.on_image(message)

    def on_frame(self, frame: Frame) -> bool:
        """Pass a whole image to ``on_image`` if no message is queued before it."""
        if frame.opcode is Opcode.CONT:
            self._in_line[-1] += len(frame.data)
            return False
        whole_picture = frame.fin and frame.opcode is Opcode.BINARY
        if whole_picture and not self._in_line and self.on_image is not None:
            self.on_image(bytes(frame.data))
            return True
        self._in_line.append(len(frame.data))
        return False

    def on_open(self) -> None:
        """Count the socket; abort it if there are too many."""
        self._shared.open += 1
        if self._shared.open > self._shared.max_open:
            self.transport.abort()

    def on_end(self) -> None:
        """Stop counting the socket."""
        self._shared.open -= 1
        self.on_image = self._overflow = None  # they refer to the connection: a cycle
        if self._resuming is not None:
            self._resuming.cancel()
        if self._meter is not None:
            self._meter.hold(0)
            self._meter = None

    def prepare_close(self, queued: int) -> None:
        """Let the caller decide how long the connection's end may take.

        The ``queued`` bytes, which the caller has still to write, and those in the write buffer do
        not count as unread answers.
        """
        self.disable_close_timeout()
        self._last_bytes = queued + self.transport.get_write_buffer_size()

    def on_bytes(self, data: bytes) -> None:
        """Handle received bytes within the limits."""
        self.received_bytes += len(data)
        self._handle(self, data)

    def _read_head(self, data: bytes) -> None:
        """Pass the request to the library once it is complete; pause until it is answered."""
        try:
            whole = self._head.feed(data)
        except UnfitRequest as unfit:
            self._reject(unfit.status)
            return
        if whole is not None:
            head, self._early = whole
            self._handle = ClientSocket._take
            self.transport.pause_reading()
            self.feed(head)

    def _reject(self, status: HTTPStatus) -> None:
        """Answer a request that is not passed to the library."""
        metrics.REQUESTS_REFUSED.labels("request").inc()
        allowed = {"Allow": ", ".join(METHODS)}
        headers = allowed if status is HTTPStatus.METHOD_NOT_ALLOWED else None
        response = respond(f"{status.phrase.lower()}\n", status=status, headers=headers)
        self.refuse(without_body(response) if self._head.method == "HEAD" else response)
        self._handle = ClientSocket._discard

    def on_written(self) -> None:
        """Resume reading once the request is answered."""
        if self._early is not None and self.is_answered:
            early, self._early = self._early, None
            if self.is_refused:
                self._handle = ClientSocket._discard
            # Not at once: the library is still writing its answer.
            self._loop.call_soon(self._read_on, early)

    def _read_on(self, early: bytes) -> None:
        if self.transport.is_closing():
            return
        self.transport.resume_reading()
        if early:
            self._handle(self, early)

    def _discard(self, data: bytes) -> None:
        """Discard what follows a request that was answered without an upgrade."""
        self._discarded_bytes += len(data)
        if self._discarded_bytes > DISCARDED_BYTES:
            self.transport.abort()

    def _take(self, data: bytes) -> None:
        """Pass what follows the request to the library, and limit its unread answers."""
        self.feed(data)
        self._pace(len(data))
        max_bytes = self._shared.limits.queuedBytes + self._last_bytes
        if self.transport.get_write_buffer_size() > max_bytes:
            self.transport.abort()

    def _ignore(self, _data: bytes) -> None:
        """Ignore what follows a message for which there was no room."""

    def _hold(self) -> bool:
        """Count the bytes that wait here; return False if there is no room for them."""
        if self._meter is None:
            return True
        return self._meter.hold(self.unfinished_bytes() + sum(self._in_line))

    def _pace(self, size: int) -> None:
        """Count received bytes; stop reading if there is no room, or pause at the rate limit."""
        if not self._hold() and self._overflow is not None:
            self._handle = ClientSocket._ignore
            self.discard_incomplete()  # the message will never be whole
            self._hold()
            self._overflow()
        elif self._meter is not None and (pause := self._meter.receive(size)) > 0:
            # Every time, since the library resumes reading when its queue shrinks.
            self.transport.pause_reading()
            if self._resuming is None:
                self._resuming = self._loop.call_later(pause, self._resume)

    def _resume(self) -> None:
        self._resuming = None
        self.resume_reading()
