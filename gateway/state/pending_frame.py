"""A frame between its arrival and its answer, and the images that are retained after that."""

from dataclasses import dataclass
from typing import NamedTuple

from shared.codes import Code
from shared.frame.best_shot import BestShot
from shared.frame.estimation import Estimate, Profile, Rotation, Stage
from shared.frame.intake import Header
from shared.wire.messages import encode


class FramePictures(NamedTuple):
    """The images of a judged frame: the bytes that the client sent, the judged pixels as JPEG."""

    received: bytes | None = None
    shot: BestShot | None = None

    @property
    def size(self) -> int:
        """Bytes of both."""
        return len(self.received or b"") + (len(self.shot.image) if self.shot else 0)


@dataclass(slots=True, weakref_slot=True)
class PendingFrame:
    """An accepted frame that is not judged yet.

    Its session sets what concerns its answer, the pool the times of the steps there, the shot, and
    what the worker said of it.

    Attributes:
        seq: number in the session, from 1.
        header: what its header says, turned by ``rotation``.
        received: monotonic time of its arrival.
        deadline: monotonic time at which it is answered at the latest.
        rotation: degrees to turn it clockwise beyond what EXIF says.
        begun: monotonic time at which its decoding started.
        sent: monotonic time at which it went to a worker.
        estimated: monotonic time at which the worker's estimate came.
        asked: monotonic time at which its judgement was asked for.
        judged: monotonic time at which its judgement came.
        estimate: its estimate, once a worker gave one; then its judgement is awaited.
        shot: the judged pixels as JPEG, if it passed every check and may become the best shot.
        passed: it passed every check of the worker.
        refused_early: it failed a check that a quick look makes, so that one at the next pays.
        at: session time of its arrival, once it has its estimate; see ``Session.time_of``.
        wall: the same moment on the wall clock, for the token.
    """

    seq: int
    data: bytes
    header: Header
    received: float
    deadline: float
    rotation: Rotation = 0
    estimate: bytes | None = None
    shot: BestShot | None = None
    passed: bool = False
    refused_early: bool = False
    at: float = 0.0
    wall: float = 0.0
    begun: float = 0.0
    sent: float = 0.0
    estimated: float = 0.0
    asked: float = 0.0
    judged: float = 0.0
    answered: bool = False

    def failed(self, profile: Profile, stage: Stage, code: Code) -> bytes:
        """Return the estimate of a frame that no worker could judge; it never passes."""
        width, height = self.header.upright_size
        errors = (code,)
        return encode(Estimate(width, height, profile, stage, errors, rotation=self.rotation))
