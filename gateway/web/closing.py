"""How long an ending connection may take: as long as it makes progress, within a total limit."""

import asyncio

from lunapass_client.tcp import unread_bytes
from shared.process.clock import SYSTEM, Clock

STALL_SECONDS = 10.0
"""Time without progress. TCP's pauses on a lossy line are shorter."""
PROXY_STEP = 65_536
"""Bytes of RESULT that a local proxy may acknowledge at a time, as its buffer empties."""
MAX_CLOSING_SECONDS = 180.0
"""Total limit. A verdict of 280 kB arrives in that time at 13 kbit/s."""
SLOWEST_LINE = 2000
"""Bytes per second (16 kbit/s) of the slowest supported line, in either direction."""
LOOK_SECONDS = 0.5


class ClosingTimeLimit:
    """The rule: a client that reads gets more time, up to the total limit.

    A proxy reads in large steps and forwards at the client's speed, which is not visible here. So
    each step gets the time that it needs on a slow line, and after the last byte the closing
    handshake gets the time of the whole last message. If the connection ended before that, the
    proxy would end the client's connection too.

    Args:
        unread: bytes that the client has not read yet.
        last: bytes of the last message.
    """

    def __init__(self, unread: int, last: int, now: float) -> None:
        self._min_unread = unread
        self._stall = STALL_SECONDS + min(last, PROXY_STEP) / SLOWEST_LINE
        self._stalled = now + self._stall
        self._passed_on = now + STALL_SECONDS + last / SLOWEST_LINE
        self._end = now + MAX_CLOSING_SECONDS

    def end_by(self, moment: float) -> None:
        """End at a monotonic time at the latest."""
        self._end = min(self._end, moment)

    def is_over(self, unread: int, now: float) -> bool:
        """Return whether to abort the connection, given the number of unread bytes."""
        if unread < self._min_unread:
            self._min_unread = unread
            self._stalled = now + self._stall
        stalled = max(self._stalled, self._passed_on) if unread == 0 else self._stalled
        return now >= min(stalled, self._end)


class ClosingTimer:
    """Aborts an ending connection, whose last message has ``last`` bytes, when its time is over."""

    def __init__(
        self, transport: asyncio.WriteTransport, last: int = 0, *, clock: Clock = SYSTEM
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._time_limit = ClosingTimeLimit(unread_bytes(transport), last, clock.monotonic())
        self._timer = self._loop.call_later(LOOK_SECONDS, self._look)

    def end_within(self, seconds: float) -> None:
        """Limit the remaining time."""
        self._time_limit.end_by(self._clock.monotonic() + seconds)

    def cancel(self) -> None:
        """Stop: the connection has ended."""
        self._timer.cancel()

    def _look(self) -> None:
        if self._time_limit.is_over(unread_bytes(self._transport), self._clock.monotonic()):
            self._transport.abort()
        else:
            self._timer = self._loop.call_later(LOOK_SECONDS, self._look)
