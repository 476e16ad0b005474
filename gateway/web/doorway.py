"""A client's socket from its first byte: how many there may be, how much they may cost.

The WebSocket library bounds messages and times; what it leaves open is bounded here: sockets that
never ask for an upgrade, endless headers, and answers it gives by itself to a client that does not
read them (pongs). It gets the head of the request whole, and what follows that once the request is
answered: it would take it for WebSocket frames at once, and fail over a second request or a body.

Pictures have a short way through it, without the library's queue and without a turn of the reader's
task.
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
from gateway.web.http import respond
from gateway.web.inflow import Inflow, Meter
from gateway.web.request_head import METHODS, RequestHead, UnfitRequest
from shared.config.service import LimitsSection
from shared.wire.websocket_adapter import AdaptedConnection, incomplete_bytes

DISCARDED_BYTES = 1_048_576
"""Read and thrown away behind a request that was answered without an upgrade.

A socket that is closed while bytes wait in it is reset, and the client may lose the answer. This
much body is what nginx passes on by default.
"""


@dataclass
class Doors:
    """What all sockets of a gateway share.

    Attributes:
        limits: the bounds.
        most: sockets that may be open; one over that is cut at once.
        inflow: bounds what clients send; None leaves it unbounded.
        open: sockets open now.
    """

    limits: LimitsSection
    most: int
    inflow: Inflow | None = None
    open: int = 0

    def connection(self, protocol: ServerProtocol, server: Server, **options: Any) -> Doorway:
        """Make a connection; for ``websockets.serve(create_connection=...)``."""
        return Doorway(self, protocol, server, **options)


class Doorway(AdaptedConnection):
    """A connection that counts itself and what it is sent before the upgrade.

    Attributes:
        take_picture: gets each binary message as it comes, unless one before it still waits for
            the reader of ``next_message``; None leaves all to that reader.
        received_bytes: how many came so far.
    """

    def __init__(self, doors: Doors, protocol: ServerProtocol, server: Server, **options: Any):
        super().__init__(protocol, server, **options)
        self._doors = doors
        self._loop = asyncio.get_running_loop()
        self._head = RequestHead(doors.limits.headerBytes)
        self._early: bytes | None = None
        self._discarded_bytes = 0
        self.received_bytes = 0
        self._in_line: deque[int] = deque()
        self._last_bytes = 0
        self._refused = False
        self._resuming: asyncio.TimerHandle | None = None
        self.take_picture: Callable[[bytes], None] | None = None
        self._meter: Meter | None = None
        self._overflow: Callable[[], None] | None = None

    def measure(self, address: str, overflow: Callable[[], None]) -> None:
        """Bound what the client sends from now on.

        Args:
            address: the client's.
            overflow: called when there is no room for what has come; the rest is not read.
        """
        if self._doors.inflow is not None:
            self._meter = self._doors.inflow.meter(address)
            self._overflow = overflow

    async def next_message(self) -> str | bytes:
        """Await the next message that went no other way.

        Raises:
            ConnectionClosed: the connection has ended.
        """
        message = await self.recv()
        self._in_line.popleft()
        self._hold()
        return message

    def on_frame(self, frame: Frame) -> bool:
        """Hand a whole picture over at once where nothing is in line before it."""
        if frame.opcode is Opcode.CONT:
            self._in_line[-1] += len(frame.data)
            return False
        whole_picture = frame.fin and frame.opcode is Opcode.BINARY
        if whole_picture and not self._in_line and self.take_picture is not None:
            self.take_picture(bytes(frame.data))
            return True
        self._in_line.append(len(frame.data))
        return False

    def on_open(self) -> None:
        """Take a socket, or end it at once where there are too many."""
        self._doors.open += 1
        if self._doors.open > self._doors.most:
            self.transport.abort()

    def on_end(self) -> None:
        """Give the place to another."""
        self._doors.open -= 1
        self.take_picture = self._overflow = None  # these hold the connection, and that this socket
        if self._resuming is not None:
            self._resuming.cancel()
        if self._meter is not None:
            self._meter.hold(0)
            self._meter = None

    def await_farewell(self, queued: int) -> None:
        """Leave it to the caller how long the connection's end takes.

        Args:
            queued: bytes that the caller has still to write; these and what is written already
                do not count as unread answers.
        """
        self.disable_close_timeout()
        self._last_bytes = queued + self.transport.get_write_buffer_size()

    def on_bytes(self, data: bytes) -> None:
        """Hand bytes on, as long as they and the answers to them stay within bounds."""
        self.received_bytes += len(data)
        if self._refused:
            return  # the rest of what there was no room for
        self._read(data)

    def _read(self, data: bytes) -> None:
        """Take bytes for what they are at this point of the connection."""
        if self.is_refused:
            self._discard(data)
        elif self.request is None:
            self._read_head(data)
        else:
            self._take(data)

    def _read_head(self, data: bytes) -> None:
        """Hand the request on once it is whole; read nothing more until it is answered."""
        try:
            whole = self._head.feed(data)
        except UnfitRequest as unfit:
            self._reject(unfit.status)
            return
        if whole is not None:
            head, self._early = whole
            self.transport.pause_reading()
            self.feed(head)

    def _reject(self, status: HTTPStatus) -> None:
        """Answer a request that the library is not given."""
        metrics.REQUESTS_REFUSED.labels("request").inc()
        allowed = {"Allow": ", ".join(METHODS)}
        headers = allowed if status is HTTPStatus.METHOD_NOT_ALLOWED else None
        text = f"{status.phrase.lower()}\n"
        self.refuse(respond(text, status=status, headers=headers))

    def on_written(self) -> None:
        """Read on once the request is answered."""
        if self._early is not None and self.is_answered:
            early, self._early = self._early, None
            # Later, since the library is in the middle of its answer; as if it came only then.
            self._loop.call_soon(self._read_on, early)

    def _read_on(self, early: bytes) -> None:
        if self.transport.is_closing():
            return
        self.transport.resume_reading()
        if early:
            self._read(early)

    def _discard(self, data: bytes) -> None:
        """Throw away what follows a request that was answered without an upgrade."""
        self._discarded_bytes += len(data)
        if self._discarded_bytes > DISCARDED_BYTES:
            self.transport.abort()

    def _take(self, data: bytes) -> None:
        """Hand on what follows the request."""
        self.feed(data)
        self._pace(len(data))
        most = self._doors.limits.queuedBytes + self._last_bytes
        if self.transport.get_write_buffer_size() > most:
            self.transport.abort()

    def _hold(self) -> bool:
        """Count the bytes that wait here; False where there is no room for them."""
        if self._meter is None:
            return True
        return self._meter.hold(incomplete_bytes(self) + sum(self._in_line))

    def _pace(self, size: int) -> None:
        """Count bytes that came; read no more where there is no room, or for a while."""
        if not self._hold() and self._overflow is not None:
            self._refused = True
            self.discard_incomplete()  # the message will never be whole
            self._hold()
            self._overflow()
        elif self._meter is not None and (pause := self._meter.receive(size)) > 0:
            # Each time, since the library resumes when its queue gets shorter.
            self.transport.pause_reading()
            if self._resuming is None:
                self._resuming = self._loop.call_later(pause, self._resume)

    def _resume(self) -> None:
        self._resuming = None
        self.resume_reading()
