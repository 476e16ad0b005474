"""Which session sent a frame first, so that a recording of one session is no second one.

Each frame that may decide a session is claimed for it, by the digest of its pixels. The claim is a
question of the fold (``aggregator.plugins.base.Question``): its answer is part of the session's
log, and a replay claims nothing again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from enum import Enum
from typing import NamedTuple, Protocol

from aggregator.plugins.base import Question
from shared.config.service import LimitsSection
from shared.process.clock import SYSTEM, Clock

LOCAL_SECONDS = 1.0
"""Bound of a question that is answered at once."""


class Claim(bytes, Enum):
    """Answer to a claim, as it is in the log.

    FIRST: no other session has sent the frame. REUSED: another session has sent it before.
    ACCEPTED: it is the best shot of another session, which was accepted.
    """

    FIRST = b"first"
    REUSED = b"reused"
    ACCEPTED = b"accepted"


class Unsent(NamedTuple):
    """What a shared memory could not take yet.

    Attributes:
        pixels: digest of the frame's pixels.
        session: id of the session to which the frame belongs.
        accepted: it is the best shot of that session, else it is claimed only.
    """

    pixels: bytes
    session: str
    accepted: bool


class FrameMemory(Protocol):
    """Frames of all sessions, for ``LIMITS.reuseSeconds``, at most ``LIMITS.reuseFrames``."""

    def claim(self, pixels: bytes, session: str, *, passed: bool) -> Question:
        """Ask whether a frame is the session's own; its answer is a ``Claim``.

        A session that claims its frame again gets the same answer, so that the frame under way
        at a death may be claimed again.

        Args:
            pixels: digest of the frame's pixels.
            session: id of the session.
            passed: whether the frame passed every check, so that it may decide a session. One that
                did not may be remembered by this process alone.
        """

    def recall(self, pixels: bytes, session: str, answers: Sequence[bytes | None]) -> None:
        """Remember a frame that was claimed before a restart, if it was the session's own."""

    def accept(self, pixels: bytes, session: str) -> None:
        """Remember the best shot of a session that is accepted; a repetition changes nothing."""

    async def close(self) -> None:
        """Finish what was begun."""


class LocalFrames:
    """The frames of this process's sessions; they are lost when it ends.

    Accepted best shots have room of their own, so that frames that are refused never displace them.

    Args:
        limits: the bounds.
        clock: measures how long a frame is remembered.
    """

    def __init__(self, limits: LimitsSection, *, clock: Clock = SYSTEM) -> None:
        bounds = limits.reuseSeconds, limits.reuseFrames
        self._claimed = _Owners(*bounds, clock.monotonic)
        self._accepted = _Owners(*bounds, clock.monotonic)

    def claim(self, pixels: bytes, session: str, *, passed: bool) -> Question:
        """Ask, and get the answer at once."""

        def answer() -> bytes:
            return self.claimed(pixels, session).value

        async def ask() -> bytes:
            return answer()

        return Question(ask, LOCAL_SECONDS, at_once=answer)

    def claimed(self, pixels: bytes, session: str) -> Claim:
        """Claim a frame for a session."""
        if self.accepted(pixels, session):
            return Claim.ACCEPTED
        owner = self._claimed.owner(pixels)
        if owner is None:
            self._claimed.add(pixels, session)
        return Claim.FIRST if owner in (None, session) else Claim.REUSED

    def recall(self, pixels: bytes, session: str, answers: Sequence[bytes | None]) -> None:
        """Claim a frame again after a restart."""
        if Claim.FIRST in answers:
            self.claimed(pixels, session)

    def accepted(self, pixels: bytes, session: str) -> bool:
        """Whether a frame is the best shot of another session that was accepted."""
        return self._accepted.owner(pixels) not in (None, session)

    def accept(self, pixels: bytes, session: str) -> None:
        """Remember the best shot of a session that is accepted."""
        if self._accepted.owner(pixels) is None:
            self._accepted.add(pixels, session)

    async def close(self) -> None:
        """Nothing is under way."""


class _Owners:
    """Sessions by the digests of their frames; the oldest go first."""

    def __init__(self, seconds: float, most: int, monotonic: Callable[[], float]) -> None:
        self._seconds = seconds
        self._most = most
        self._monotonic = monotonic
        self._entries: OrderedDict[bytes, tuple[float, str]] = OrderedDict()

    def owner(self, pixels: bytes) -> str | None:
        """Session that has a frame."""
        entry = self._entries.get(pixels)
        if entry is None or self._monotonic() - entry[0] >= self._seconds:
            return None
        return entry[1]

    def add(self, pixels: bytes, session: str) -> None:
        """Give a frame to a session."""
        now = self._monotonic()
        self._entries[pixels] = (now, session)
        self._entries.move_to_end(pixels)
        while self._entries:
            at, _ = next(iter(self._entries.values()))
            if now - at < self._seconds and len(self._entries) <= self._most:
                return
            self._entries.popitem(last=False)
