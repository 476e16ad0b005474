"""What a gateway knows of a session; ``gateway.state.session`` changes it."""

import hmac
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from gateway.limits.buckets import TokenBucket
from gateway.state.identity import digest
from gateway.state.pending_frame import FramePictures, PendingFrame
from shared.frame.best_shot import BestShot
from shared.frame.estimation import Profile
from shared.process.clock import SYSTEM, Clock
from shared.wire.messages import Judgement, Open
from shared.wire.protocol import CloseCode
from shared.wire.records import Judged

CLIENT_LEFT = "client left"
"""Close reason when the client sends DISCONNECT."""


class Outlet(Protocol):
    """Where a session's answers go: its client connection."""

    def send(self, text: str) -> None:
        """Queue a text message."""

    def close(self, code: CloseCode, reason: str) -> None:
        """End the connection after what is queued."""

    def end_with(self, text: str, code: CloseCode, reason: str) -> None:
        """Send a last message, however much is queued, and end the connection after it."""


@dataclass
class SessionRecord:
    """The data of one session, and what follows from it.

    A session has a time of its own: the wall time of its opening, and what has passed since then on
    the monotonic clock. Its frames have that time, so no step of the wall clock changes a verdict.

    Attributes:
        id: two hex digits of the cell, then 120 random bits in hex.
        opened: the event that the aggregator gets, and gets again after its restart.
        address: rate-limit key of the client's address (IPv6: /64); after a restore empty until the
            client reconnects.
        opened_at: the same of the address that opened it; empty if another gateway opened it.
        started: monotonic time of its opening; before this process's start if another opened it.
        profile: checks of the next frame; None until they are known.
        asked: monotonic time of the last question to the aggregator.
        refused_before: refused sessions of its address, person and kiosk when this one started.
        known: the aggregator has acknowledged it, so that it outlives this gateway.
        missing: the aggregator lacks it, or frames of its log, and needs a replay.
        waiting: newest frame, not yet started.
        active: the frame in flight: taken to the pool, and neither judged nor discarded yet.
        prompted: session time at which the last answer was released; None before the first one, or
            if another process released it, or if it was not sent because it was late.
        unsent: the last judged frame and the text of its STATUS, until that may be sent.
        log: judged frames, for a replay.
        codes: number of frames judged here that had each code.
        best_score: liveness score that the next frame must exceed for its image to be used; None
            if its image is used anyway, or that is not known.
        early_refusals: number of frames in a row after which a quick look pays.
        settled: number of the last frame whose side effects are done; ``END`` for all.
        unsettled: images of the frames after that, by number.
        result: text of RESULT once there is a verdict.
        outcome: how the session ended, for the statistics; empty if another process counted it.
        outlet: connection; None while the client is away.
        left: monotonic time at which the client went away; 0 while it is connected.
        seq: number of the last frame that arrived.
        reconnects: resumptions so far.
        suspect: leaving it counts as a refusal.
        counted_for: digests of the addresses for which it counts as refused.
        closing: why the aggregator was asked to end it; empty when it was not.
    """

    id: str
    opened: Open
    address: str
    bucket: TokenBucket
    started: float
    profile: Profile | None = None
    asked: float = 0.0
    refused_before: Mapping[str, int] = field(default_factory=dict)
    clock: Clock = SYSTEM
    opened_at: str = ""
    known: bool = field(default=False, init=False)
    missing: bool = field(default=False, init=False)
    waiting: PendingFrame | None = field(default=None, init=False)
    active: PendingFrame | None = field(default=None, init=False)
    prompted: float | None = field(default=None, init=False)
    unsent: tuple[PendingFrame, str] | None = field(default=None, init=False)
    log: list[Judged] = field(default_factory=list, init=False)
    codes: Counter[int] = field(default_factory=Counter, init=False)
    kept: BestShot | None = field(default=None, init=False)
    best_score: float | None = field(default=None, init=False)
    early_refusals: int = field(default=0, init=False)
    settled: int = field(default=0, init=False)
    unsettled: dict[int, FramePictures] = field(default_factory=dict, init=False)
    result: str | None = field(default=None, init=False)
    outcome: str = field(default="", init=False)
    outlet: Outlet | None = field(default=None, init=False)
    left: float = field(default=0.0, init=False)
    seq: int = field(default=0, init=False)
    reconnects: int = field(default=0, init=False)
    suspect: bool = field(default=False, init=False)
    counted_for: set[str] = field(default_factory=set, init=False)
    closing: str = field(default="", init=False)

    @property
    def elapsed(self) -> float:
        """Seconds since its opening."""
        return max(0.0, self.clock.monotonic() - self.started)

    @property
    def now(self) -> float:
        """Its time now."""
        return self.time_of(self.clock.monotonic())

    def time_of(self, moment: float) -> float:
        """Its time at a monotonic time: Unix time in seconds, by the wall clock at its opening."""
        last = self.log[-1].at if self.log else self.opened.at
        # Rounding may cost a microsecond, and time must not go back.
        return max(self.opened.at + (moment - self.started), last)

    @property
    def last_judged(self) -> int:
        """Number of the last judged frame; 0 before the first."""
        return self.log[-1].seq if self.log else 0

    @property
    def unanswered(self) -> list[PendingFrame]:
        """Frames that have neither an answer nor a judgement."""
        frames = (self.active, self.waiting)
        return [frame for frame in frames if frame is not None and not frame.answered]

    @property
    def judging(self) -> PendingFrame | None:
        """The frame in flight, once its judgement is asked for."""
        frame = self.active
        return None if frame is None or frame.estimate is None else frame

    def outcome_of(self, judgement: Judgement) -> str:
        """How it ends with a verdict; ``left`` if its client went away before any."""
        if judgement.accepted:
            return "accepted"
        ended_from_outside = judgement.seq == 0
        gone = self.outlet is None or self.closing == CLIENT_LEFT
        return "left" if ended_from_outside and gone else "refused"

    def fields(self, **more: object) -> dict[str, object]:
        """Fields of a log line about it: its id and numbers, nothing measured on the person."""
        return {"fields": {"session": self.id, **more}}

    def owns(self, token: str) -> bool:
        """Whether a resume token is this session's; compared in constant time."""
        return hmac.compare_digest(self.opened.token_digest, digest(token))
