"""How long a connection that ends may take: progress decides, within a total bound."""

from __future__ import annotations

import asyncio

from shared.process.clock import SYSTEM, Clock
from shared.wire.tcp import unread_bytes

STALL_SECONDS = 10.0
"""Without one more byte taken; TCP's pauses on a line that loses packets are shorter."""
PROXY_STEP = 65_536
"""Bytes of RESULT that a proxy on this machine may acknowledge at a time, as its buffer empties."""
MAX_FAREWELL_SECONDS = 180.0
"""For all of it; a verdict of 280 kB arrives in that time at 13 kbit/s."""
SLOWEST_LINE = 2000
"""Bytes a second (16 kbit/s) that the slowest line carries, in either direction."""
LOOK_SECONDS = 0.5


class Patience:
    """The rule: a client that takes bytes has time, but not for ever.

    A proxy takes bytes in large steps and passes them on at the client's speed, which is not seen
    from here. So each step has the time that it needs on a slow line, and when all is taken, the
    closing handshake has the time of the whole last message. If the connection ended before, the
    proxy would end the client's, too.

    Args:
        unread: bytes that the client has not taken yet.
        last: bytes of the last message.
        now: monotonic time.
    """

    def __init__(self, unread: int, last: int, now: float) -> None:
        self._least = unread
        self._stall = STALL_SECONDS + min(last, PROXY_STEP) / SLOWEST_LINE
        self._stalled = now + self._stall
        self._passed_on = now + STALL_SECONDS + last / SLOWEST_LINE
        self._end = now + MAX_FAREWELL_SECONDS

    def end_by(self, moment: float) -> None:
        """Allow no longer than to a monotonic time."""
        self._end = min(self._end, moment)

    def is_over(self, unread: int, now: float) -> bool:
        """Whether the connection is to be cut, with so many bytes not taken yet."""
        if unread < self._least:
            self._least = unread
            self._stalled = now + self._stall
        stalled = max(self._stalled, self._passed_on) if unread == 0 else self._stalled
        return now >= min(stalled, self._end)


class Farewell:
    """Cuts a connection that ends once its patience is over.

    Args:
        transport: the connection's.
        last: bytes of the last message, written or not.
        clock: measures the patience.
    """

    def __init__(
        self, transport: asyncio.WriteTransport, last: int = 0, *, clock: Clock = SYSTEM
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._patience = Patience(unread_bytes(transport), last, clock.monotonic())
        self._timer = self._loop.call_later(LOOK_SECONDS, self._look)

    def end_within(self, seconds: float) -> None:
        """Allow no more than this time from now."""
        self._patience.end_by(self._clock.monotonic() + seconds)

    def cancel(self) -> None:
        """Look no more: the connection has ended."""
        self._timer.cancel()

    def _look(self) -> None:
        if self._patience.is_over(unread_bytes(self._transport), self._clock.monotonic()):
            self._transport.abort()
        else:
            self._timer = self._loop.call_later(LOOK_SECONDS, self._look)
