"""How long a connection that ends may take: progress decides, within a total bound."""

from __future__ import annotations

import asyncio

from shared.clock import SYSTEM, Clock
from shared.tcp import unread_bytes

STALL_SECONDS = 10.0
"""Without one more byte taken; TCP's pauses on a line that loses packets are shorter."""
MOST_SECONDS = 180.0
"""For all of it; a verdict of 280 kB arrives in that time at 13 kbit/s."""
LOOK_SECONDS = 0.5


class Patience:
    """The rule: a client that takes bytes has time, but not for ever.

    Args:
        unread: bytes that the client has not taken yet.
        now: monotonic time.
    """

    def __init__(self, unread: int, now: float) -> None:
        self._least = unread
        self._stalled = now + STALL_SECONDS
        self._end = now + MOST_SECONDS

    def end_by(self, moment: float) -> None:
        """Allow no longer than to a monotonic time."""
        self._end = min(self._end, moment)

    def is_over(self, unread: int, now: float) -> bool:
        """Whether the connection is to be cut, with so many bytes not taken yet."""
        if unread < self._least:
            self._least = unread
            self._stalled = now + STALL_SECONDS
        return now >= min(self._stalled, self._end)


class Farewell:
    """Cuts a connection that ends once its patience is over.

    Args:
        transport: the connection's.
        clock: measures the patience.
    """

    def __init__(self, transport: asyncio.WriteTransport, *, clock: Clock = SYSTEM) -> None:
        self._transport = transport
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._patience = Patience(unread_bytes(transport), clock.monotonic())
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
