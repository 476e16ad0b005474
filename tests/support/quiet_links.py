"""A gateway's links without anything at their other ends."""

from __future__ import annotations

from collections.abc import Callable

from gateway.limits.inflow import HeldBytes
from gateway.pool.dispatch import Dispatcher, FrameReceiver
from gateway.sessions.frames import Frames
from gateway.sessions.handover import Handover, Release
from gateway.sessions.judgement import Answers, JudgementLink
from gateway.sessions.sessions import Sessions
from gateway.sessions.unsettled import Unsettled
from gateway.state.pending_frame import FramePictures, PendingFrame
from gateway.state.session import Session
from shared.config.service import Config
from shared.process.clock import SYSTEM, Clock
from shared.wire.records import Judged


class QuietPool(Dispatcher):
    """A pool without workers.

    Attributes:
        in_line: the sessions that were submitted.
    """

    def __init__(self) -> None:
        self.in_line: list[Session] = []

    def report_to(self, receiver: FrameReceiver) -> None:
        pass

    def submit(self, session: Session) -> None:
        self.in_line.append(session)


class QuietLink(JudgementLink):
    """A link without an aggregator.

    Args:
        on_open: called with each session that is announced.

    Attributes:
        asked: names of the requests, except for verdicts.
        judging: the frames whose verdict was requested.
        ended: reasons for which sessions were closed.
        wanted: sessions that were requested, with their token digests.
        on_resume: called with each of them.
        up: as if the aggregator had answered.
    """

    up = True

    def __init__(self, on_open: Callable[[Session], None] = lambda _: None) -> None:
        self.asked: list[str] = []
        self.judging: list[PendingFrame] = []
        self.ended: list[str] = []
        self.wanted: list[tuple[str, bytes]] = []
        self.on_open = on_open
        self.on_resume: Callable[[str, bytes], None] = lambda *_: None

    def report_to(self, receive: Callable[[Answers], None]) -> None:
        pass

    def open(self, session: Session, *, replay: bool = False) -> None:
        self.asked.append("replay" if replay else "open")
        self.on_open(session)

    def judge(self, session: Session, frame: PendingFrame) -> None:
        self.judging.append(frame)

    def judge_again(
        self, session: Session, judged: Judged, pictures: FramePictures, *, after: int
    ) -> None:
        pass

    def resume(self, session: str, token_digest: bytes) -> None:
        self.wanted.append((session, token_digest))
        self.on_resume(session, token_digest)

    def close_session(self, session: Session, reason: str) -> None:
        self.asked.append("close")
        self.ended.append(reason)

    def commit(self, session: Session) -> None:
        self.asked.append("commit")

    def forget(self, session: Session) -> None:
        self.asked.append("forget")


class HoldingHandover(Handover):
    """A session store that writes when the test says so."""

    commits = True

    def __init__(self) -> None:
        self.waiting: tuple[Session, Release] | None = None

    def commit(self, session: Session, release: Release) -> None:
        self.waiting = (session, release)

    def forget(self, session: Session) -> None:
        self.waiting = None

    def write(self) -> None:
        waiting, self.waiting = self.waiting, None
        if waiting is not None:
            session, release = waiting
            release(session)


def quiet_sessions(
    config: Config | None = None,
    link: QuietLink | None = None,
    *,
    held: HeldBytes | None = None,
    clock: Clock = SYSTEM,
) -> Sessions:
    """The sessions of a gateway without workers and aggregator."""
    return Sessions(config or Config(), QuietPool(), link or QuietLink(), held=held, clock=clock)


def quiet_frames(
    config: Config | None = None,
    pool: QuietPool | None = None,
    link: QuietLink | None = None,
    held: HeldBytes | None = None,
    clock: Clock = SYSTEM,
) -> Frames:
    """The frames of a gateway without workers and aggregator."""
    config = config or Config()
    unsettled = Unsettled(config.MIDDLEWARES.WS, config.LIMITS.unsettledBytes)
    return Frames(config, pool or QuietPool(), link or QuietLink(), unsettled, held, clock=clock)
