"""The events that sinks receive: a frame was judged, a session ended.

An event's key is (session, seq), where ``END`` is the seq of a session's end. The same key always
means the same operation, so an event that is sent again after a restart changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from shared.frame.best_shot import BestShot
from shared.frame.estimation import Estimate, Rotation
from shared.wire.records import END

RECORD_BYTES = 4096
"""Approximate size of an event without its image."""


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """What is known about a session from its start.

    Attributes:
        at: Unix time of the start, in seconds.
        client: the client's description of itself; untrusted.
        opener: keyed digest of the address that started it.
        start: claims of its start token for the verdict, and the id of that token as ``jti``.
    """

    session: str
    at: float
    mirrored: bool
    client: Mapping[str, Any]
    opener: str = ""
    start: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FrameJudged:
    """A frame was answered.

    Attributes:
        at: Unix time of its estimate, in seconds.
        errors: codes that the client got.
        received: the bytes that the client sent; empty if they could not be decoded, None if they
            are lost or no sink uses them.
        shot: the judged pixels as JPEG, if the frame passed every check of the worker; None if no
            sink uses it.
    """

    info: SessionInfo
    seq: int
    at: float
    estimate: Estimate
    errors: tuple[int, ...]
    received: bytes | None
    shot: BestShot | None = None

    @property
    def image(self) -> bytes | None:
        """The image to show to people: the judged pixels if available."""
        return self.shot.image if self.shot is not None else self.received

    @property
    def rotation(self) -> Rotation:
        """Clockwise rotation to apply to ``image``, in degrees; judged pixels are upright."""
        return 0 if self.shot is not None else self.estimate.rotation

    @property
    def size(self) -> int:
        """Bytes that it takes in a queue."""
        return RECORD_BYTES + len(self.received or b"") + _bytes(self.shot)

    def without_images(self) -> FrameJudged:
        """Return the same event without its images."""
        return replace(self, received=None, shot=None)


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """A session got its verdict.

    Attributes:
        at: Unix time of the verdict, in seconds.
        best_seq: number of the best shot's frame; 0 if there is none.
        frames: number of judged frames that could be decoded.
        result: RESULT as the client got it, with the token.
        policy: claim of the token that says what judged it; None without a judged frame.
        pixels: number and pixel digest of each frame that has a digest.
    """

    info: SessionInfo
    at: float
    accepted: bool
    errors: tuple[int, ...]
    best_seq: int
    frames: int
    result: bytes
    data: Mapping[str, Any]
    best_shot: BestShot | None = None
    policy: Mapping[str, Any] | None = None
    pixels: Sequence[tuple[int, bytes]] = ()

    @property
    def seq(self) -> int:
        """``END``, which is above every frame's number."""
        return END

    @property
    def size(self) -> int:
        """Bytes that it takes in a queue."""
        return RECORD_BYTES + len(self.result) + _bytes(self.best_shot)

    def without_images(self) -> SessionEnded:
        """Return the same event without its best shot; the result's token still has it."""
        return replace(self, best_shot=None)


def _bytes(shot: BestShot | None) -> int:
    return len(shot.image) if shot is not None else 0


Event = FrameJudged | SessionEnded
