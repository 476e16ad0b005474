"""What side-effect plugins are told: a frame was judged, a session ended.

An event's key is (session, seq), with ``END`` as the seq of a session's end. The same key always
means the same operation, so that an event told again after a restart changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from shared.frame.best_shot import BestShot
from shared.frame.estimation import Estimate, Rotation
from shared.wire.records import END

RECORD_BYTES = 4096
"""Rough size of an event without its picture."""


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """What is known of a session from its beginning.

    Attributes:
        session: id of the session.
        at: time at which it began, seconds of the epoch.
        mirrored: the client sends mirrored pictures.
        client: what the client told of itself; never trusted.
    """

    session: str
    at: float
    mirrored: bool
    client: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FrameJudged:
    """A frame has its answer.

    Attributes:
        info: its session.
        seq: number of the frame in its session.
        at: time of its estimate, seconds of the epoch.
        estimate: what was measured.
        errors: codes that the client got.
        received: what the client sent; empty where that could not be read, None where it is lost
            or no plugin looks at it.
        shot: the judged pixels as JPEG, of a frame that passed every check of the worker.
    """

    info: SessionInfo
    seq: int
    at: float
    estimate: Estimate
    errors: tuple[int, ...]
    received: bytes | None
    shot: BestShot | None = None

    @property
    def picture(self) -> bytes | None:
        """What people are shown of it: the judged pixels where it has them."""
        return self.shot.image if self.shot is not None else self.received

    @property
    def rotation(self) -> Rotation:
        """Degrees to turn ``picture`` clockwise; the judged pixels are turned already."""
        return 0 if self.shot is not None else self.estimate.rotation

    @property
    def size(self) -> int:
        """Bytes it takes in a queue."""
        return RECORD_BYTES + len(self.received or b"") + _bytes(self.shot)

    def without_pictures(self) -> FrameJudged:
        """The same event with its pictures lost."""
        return replace(self, received=None, shot=None)


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """A session has its verdict.

    Attributes:
        info: the session.
        at: time of the verdict, seconds of the epoch.
        accepted: it succeeded.
        errors: codes of the verdict.
        best_seq: number of the best shot's frame; 0 when there is none.
        frames: frames that were judged and could be read.
        result: RESULT as the client got it, with the token.
        data: what the plugins gathered.
        best_shot: picture of the best shot; None where there is none.
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

    @property
    def seq(self) -> int:
        """Above every frame's number."""
        return END

    @property
    def size(self) -> int:
        """Bytes it takes in a queue."""
        return RECORD_BYTES + len(self.result) + _bytes(self.best_shot)

    def without_pictures(self) -> SessionEnded:
        """The same event with its best shot lost, but for the one in the result's token."""
        return replace(self, best_shot=None)


def _bytes(shot: BestShot | None) -> int:
    return len(shot.image) if shot is not None else 0


Event = FrameJudged | SessionEnded
