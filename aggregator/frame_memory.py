"""Remembers which session sent a frame first, so that a recorded session cannot be replayed.

Every frame that may decide a session is claimed for it, by the digest of its pixels. The claim is a
``aggregator.plugins.base.Question``: its answer is part of the session's log, so the replay of a
log claims nothing again.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from enum import Enum
from typing import NamedTuple, Protocol

from aggregator.plugins.base import Question
from shared.config.service import LimitsSection
from shared.process.clock import SYSTEM, Clock

LOCAL_SECONDS = 1.0
"""Timeout of a question that is answered at once."""


class Claim(bytes, Enum):
    """Answer to a claim, as it is in the log.

    FIRST: no other session sent the frame. REUSED: another session sent it before. ACCEPTED: it is
    the best shot of another, accepted session.
    """

    FIRST = b"first"
    REUSED = b"reused"
    ACCEPTED = b"accepted"


class UnsentFrame(NamedTuple):
    """A frame that a shared memory does not have yet, because of an outage.

    Attributes:
        pixels: digest of the frame's pixels.
        accepted: it is the best shot of that accepted session; otherwise it is only claimed.
    """

    pixels: bytes
    session: str
    accepted: bool


def answered_at_once(claim: Callable[[], Claim]) -> Question:
    """Return a question whose answer needs no waiting; nothing is claimed before it is asked."""

    async def ask() -> bytes:
        return claim().value

    return Question(ask, LOCAL_SECONDS, at_once=lambda: claim().value)


class FrameMemory(Protocol):
    """Frames of all sessions, for ``LIMITS.reuseSeconds``, at most ``LIMITS.reuseFrames``."""

    def claim(self, pixels: bytes, session: str, *, passed: bool) -> Question:
        """Return a question whether the frame is the session's own; the answer is a ``Claim``.

        Claiming is idempotent: the frame in progress when a process dies is claimed again. A frame
        that has not ``passed`` every check may be remembered by this process only.
        """

    def recall(self, pixels: bytes, session: str, answers: Sequence[bytes | None]) -> None:
        """Remember again a frame that was the session's own before a restart."""

    def accept(self, pixels: bytes, session: str) -> None:
        """Remember the best shot of an accepted session. Idempotent."""

    async def close(self) -> None:
        """Finish pending work and release all resources."""


class LocalFrames:
    """The frames of this process's sessions; they are lost when it ends.

    Accepted best shots have a limit of their own, so that refused frames never displace them.
    """

    def __init__(self, limits: LimitsSection, *, clock: Clock = SYSTEM) -> None:
        bounds = limits.reuseSeconds, limits.reuseFrames
        self._claimed = _Owners(*bounds, clock.monotonic)
        self._accepted = _Owners(*bounds, clock.monotonic)

    def claim(self, pixels: bytes, session: str, *, passed: bool) -> Question:
        """Return a question that is answered at once."""
        return answered_at_once(lambda: self.claim_now(pixels, session))

    def claim_now(self, pixels: bytes, session: str) -> Claim:
        """Claim a frame for a session."""
        if self.accepted(pixels, session):
            return Claim.ACCEPTED
        return Claim.FIRST if self._claimed.claim(pixels, session) == session else Claim.REUSED

    def recall(self, pixels: bytes, session: str, answers: Sequence[bytes | None]) -> None:
        """Claim a frame again after a restart."""
        if Claim.FIRST in answers:
            self.claim_now(pixels, session)

    def accepted(self, pixels: bytes, session: str) -> bool:
        """Return whether a frame is the best shot of another, accepted session."""
        return self._accepted.owner(pixels) not in (None, session)

    def accept(self, pixels: bytes, session: str) -> None:
        """Remember the best shot of an accepted session."""
        self._accepted.claim(pixels, session)

    async def close(self) -> None:
        """Do nothing: no resources are held."""


class _Owners:
    """Sessions by the digests of their frames; the oldest are removed first."""

    def __init__(self, seconds: float, max_frames: int, monotonic: Callable[[], float]) -> None:
        self._seconds = seconds
        self._max_frames = max_frames
        self._monotonic = monotonic
        self._entries: OrderedDict[bytes, tuple[float, str]] = OrderedDict()

    def owner(self, pixels: bytes) -> str | None:
        """Return the session that owns a frame."""
        entry = self._entries.get(pixels)
        if entry is None or self._monotonic() - entry[0] >= self._seconds:
            return None
        return entry[1]

    def claim(self, pixels: bytes, session: str) -> str:
        """Make a session the owner of a frame without one; return the frame's owner."""
        entries, now = self._entries, self._monotonic()
        entry = entries.get(pixels)
        if entry is not None and now - entry[0] < self._seconds:
            return entry[1]
        entries[pixels] = (now, session)
        entries.move_to_end(pixels)
        while entries:
            at, _ = next(iter(entries.values()))
            if now - at < self._seconds and len(entries) <= self._max_frames:
                break
            entries.popitem(last=False)
        return session
