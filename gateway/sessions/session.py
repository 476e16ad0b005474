"""A session as the gateway owns it: its frames under way, its log and its connection."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeGuard

from gateway.web.limits import TokenBucket
from shared.codes import Code
from shared.errors import ProtocolError
from shared.frame.best_shot import BestShot
from shared.frame.estimation import Estimate, Profile, Rotation, Stage
from shared.frame.intake import Header
from shared.process.clock import SYSTEM, Clock
from shared.wire.messages import Judgement, Open, encode
from shared.wire.protocol import CloseCode, Codec, Command
from shared.wire.records import Judged

CLIENT_LEFT = "client left"
"""Why a session ends whose client says DISCONNECT."""
ANNOUNCED_BYTES = 60_000
"""A RESULT above this is announced. Below, it takes at most 7.5 s at 64 kbit/s, which no client
takes for silence."""


class Outlet(Protocol):
    """Where a session's answers go: its client connection."""

    def send(self, text: str) -> None:
        """Queue a text message."""

    def close(self, code: CloseCode, reason: str) -> None:
        """End the connection after what is queued."""

    def end_with(self, text: str, code: CloseCode, reason: str) -> None:
        """Send a last message, however much is queued, and end the connection after it."""


class FramePictures(NamedTuple):
    """What is kept of a judged frame's pictures.

    Attributes:
        received: what the client sent.
        shot: the judged pixels as JPEG.
    """

    received: bytes | None = None
    shot: BestShot | None = None

    @property
    def size(self) -> int:
        """Bytes of both."""
        return len(self.received or b"") + (len(self.shot.image) if self.shot else 0)


@dataclass(slots=True, weakref_slot=True)
class PendingFrame:
    """An accepted frame on its way.

    Attributes:
        seq: number in the session, from 1.
        data: encoded picture.
        header: what its header says, turned by ``rotation``.
        received: monotonic time of its arrival.
        deadline: monotonic time at which it is answered at the latest.
        rotation: degrees to turn it clockwise beyond what EXIF says.
        begun: monotonic time at which its decoding began.
        sent: monotonic time at which it went to a worker.
        estimated: monotonic time at which the worker's estimate came.
        asked: monotonic time at which its verdict was asked for.
        estimate: its estimate, once a worker gave one; then the verdict is awaited.
        shot: the judged pixels as JPEG, if it passed every check and may become the best shot.
        at: time of its arrival in its session, once it has its estimate; see ``Session.time_of``.
        wall: the same moment on the wall clock, for the token.
        answered: the client has its answer.
    """

    seq: int
    data: bytes
    header: Header
    received: float
    deadline: float
    rotation: Rotation = 0
    estimate: bytes | None = None
    shot: BestShot | None = None
    at: float = 0.0
    wall: float = 0.0
    begun: float = 0.0
    sent: float = 0.0
    estimated: float = 0.0
    asked: float = 0.0
    answered: bool = False

    def failed(self, profile: Profile, stage: Stage, code: Code) -> bytes:
        """Estimate where no worker could judge it: it counts, and it never passes."""
        width, height = self.header.upright_size
        errors = (code,)
        return encode(Estimate(width, height, profile, stage, errors, rotation=self.rotation))


_IDENTITY = re.compile(r"[0-9a-f]{32}")


def is_identity(text: object) -> TypeGuard[str]:
    """Whether this may be a session id at all."""
    return isinstance(text, str) and _IDENTITY.fullmatch(text) is not None


def digest(text: str) -> bytes:
    """Digest of a resume token, which is stored nowhere itself, or of a verdict."""
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()


@dataclass
class Session:
    """One person's attempt.

    At most one frame is under way and one waits, the newest. The next frame starts after the
    verdict on the one before, because that verdict chooses the checks of the next.

    A session has a time of its own: the wall time of its opening, and what has passed since then on
    the monotonic clock. Its frames bear that time, so no step of the wall clock changes a verdict.

    Attributes:
        id: 128 random bits in hex.
        opened: the event that the aggregator gets, and gets again after its restart.
        address: the client's, as limits count it (IPv6: its /64); empty until it is back.
        refused_before: refused sessions of that address when this one began.
        begun: monotonic time of its opening; before this process's start where another opened it.
        suspect: leaving it counts as a refusal.
        counted_for: digests of the addresses for which it counts as refused.
        profile: checks of the next frame; None until the aggregator knows the session.
        waiting: newest frame, not yet begun.
        active: frame under way.
        log: judged frames, for a replay.
        kept: the best shot so far.
        settled: number of the last frame whose side effects are done; ``END`` for all.
        unsettled: pictures of the frames after that, by number.
        unsent: frame with its verdict and the text of its STATUS, until that may be sent.
        result: text of RESULT once there is a verdict.
        outcome: how the session ended, for the statistics; empty where another process counted it.
        released: the verdict may leave, and is counted.
        held_since: monotonic time since which answers wait for the session store; 0 when none do.
        known: set once the aggregator knows the session, so that it outlives this gateway.
        outlet: connection; None while the client is away.
        left: monotonic time at which the client went away.
        closing: why the aggregator was asked to end it; empty when it was not.
        asked: monotonic time of the last question to the aggregator.
        clock: the gateway's clock.
    """

    id: str
    opened: Open
    address: str
    bucket: TokenBucket
    begun: float
    profile: Profile | None = None
    waiting: PendingFrame | None = None
    active: PendingFrame | None = None
    log: list[Judged] = field(default_factory=list)
    kept: BestShot | None = None
    settled: int = 0
    unsettled: dict[int, FramePictures] = field(default_factory=dict)
    unsent: tuple[PendingFrame, str] | None = None
    result: str | None = None
    outcome: str = ""
    released: bool = False
    held_since: float = 0.0
    known: asyncio.Event = field(default_factory=asyncio.Event)
    outlet: Outlet | None = None
    left: float = 0.0
    seq: int = 0
    reconnects: int = 0
    refused_before: int = 0
    suspect: bool = False
    counted_for: set[str] = field(default_factory=set)
    closing: str = ""
    asked: float = 0.0
    queued: bool = False
    clock: Clock = SYSTEM

    @property
    def dispatchable(self) -> bool:
        """Whether its waiting frame may begin.

        Not before the answer on the frame before may be sent: so at most one frame of a session is
        judged and not stored.
        """
        return (
            self.waiting is not None
            and self.active is None
            and self.unsent is None
            and self.profile is not None
            and self.result is None
            and not self.closing
        )

    @property
    def elapsed(self) -> float:
        """Seconds since its opening."""
        return max(0.0, self.clock.monotonic() - self.begun)

    @property
    def now(self) -> float:
        """Its time now."""
        return self.time_of(self.clock.monotonic())

    def time_of(self, moment: float) -> float:
        """Its time at a monotonic time, in seconds of the epoch as its opening counted them."""
        last = self.log[-1].at if self.log else self.opened.at
        return max(self.opened.at + (moment - self.begun), last)  # rounding may cost a microsecond

    def wall_of(self, moment: float) -> float:
        """Wall time of a monotonic time, as the wall clock is set now."""
        return self.clock.wall() - (self.clock.monotonic() - moment)

    def attach(self, outlet: Outlet, most: int) -> None:
        """Go on at a connection; an older one is closed.

        As many again are allowed once there is a verdict: a client on a bad line may have used up
        the first ones, and must still get RESULT.

        Args:
            outlet: the connection.
            most: resumptions that are allowed up to the verdict.

        Raises:
            ProtocolError: it was resumed too often.
        """
        if self.outlet is not None:
            self.outlet.close(CloseCode.REPLACED, "resumed elsewhere")
        if self.left or self.outlet is not None:
            self.reconnects += 1
        if self.reconnects > (most if self.result is None else 2 * most):
            raise ProtocolError(
                "resumed too often", code="session.too-many-resumes", close_code=CloseCode.POLICY
            )
        self.outlet = outlet
        self.left = 0.0

    def detach(self, outlet: Outlet) -> None:
        """Note that a connection is gone; the session waits for the client to come back."""
        if self.outlet is outlet:
            self.outlet = None
            self.left = self.clock.monotonic()

    @property
    def result_bytes(self) -> int | None:
        """Size of RESULT; None while the client may not have it."""
        if self.result is None or not self.released:
            return None
        return len(self.result.encode())

    def deliver(self) -> None:
        """Send RESULT, if there is a client and a released verdict, and close with 1000.

        A large one is announced, since a browser sees no part of a message: it would take a RESULT
        that is still arriving for silence, resume, and get it from its beginning again. HEARTBEAT
        is a message that clients of LUNA PASS 1.x ignore.
        """
        size = self.result_bytes
        if self.outlet is None or self.result is None or size is None:
            return
        if size > ANNOUNCED_BYTES:
            self.outlet.send(Codec.encode(Command.HEARTBEAT, {"result-bytes": size}))
        self.outlet.end_with(self.result, CloseCode.VERDICT, "verdict given")

    def outcome_of(self, verdict: Judgement) -> str:
        """How it ends with a verdict; ``left`` when its client went away before any."""
        if verdict.accepted:
            return "accepted"
        ended_from_outside = verdict.seq == 0
        gone = self.outlet is None or self.closing == CLIENT_LEFT
        return "left" if ended_from_outside and gone else "refused"

    def fields(self, **more: object) -> dict[str, object]:
        """What a log line tells of it: its id and numbers, nothing measured on the person."""
        return {"fields": {"session": self.id, **more}}

    def owns(self, token: str) -> bool:
        """Whether a resume token is this session's; compared in constant time."""
        return hmac.compare_digest(self.opened.token_digest, digest(token))


def new_identity(prefix: str) -> tuple[str, str]:
    """Make a session id (120 random bits behind the cell's two digits) and a resume token (128)."""
    return prefix + secrets.token_hex(15), secrets.token_hex(16)
