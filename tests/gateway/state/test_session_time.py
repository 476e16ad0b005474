"""A session's time: steps of the wall clock do not move it, and a new gateway continues it."""

from __future__ import annotations

import pytest

from gateway.state.session import Session
from shared.config.service import Config
from shared.frame.estimation import Estimate, Profile
from shared.wire.messages import Judgement, Opened, Resumed, encode
from shared.wire.protocol import Codec, Command
from shared.wire.records import History, Judged
from tests.support.clock import SettableClock
from tests.support.quiet_links import QuietLink, quiet_sessions
from tests.support.stamp import stamped_jpeg
from tests.support.store_cell import Listener

STEPS = [20.0, -3600.0, 86_400.0]
MONTH = 30 * 86_400.0


class Cell:
    """The sessions of a gateway with a settable clock.

    Attributes:
        ended: reasons for which the aggregator was asked to end sessions.
    """

    def __init__(self, clock: SettableClock, **limits: float) -> None:
        self.clock = clock
        config = Config.model_validate({"LIMITS": {"frameBurst": 1000, **limits}})
        link = QuietLink()
        self.ended = link.ended
        self.sessions = quiet_sessions(config, link, clock=clock)

    def begin(self) -> Session:
        session, _ = self.sessions.begin("192.0.2.1", mirrored=False, client="null")
        self.sessions.receive(Opened(session.id, Profile.PASSIVE))
        return session

    def judge(self, session: Session) -> Judged:
        """Have a frame judged; return its entry in the log."""
        self.sessions.frames.accept(session, stamped_jpeg(1, session.seq))
        frame, _ = session.start()
        self.sessions.frames.estimated(session, frame, encode(Estimate(640, 480)))
        status = Codec.encode(Command.STATUS, {"seq": frame.seq})
        self.sessions.receive(Judgement(session.id, frame.seq, Profile.PASSIVE, status))
        return session.log[-1]

    def sweep_after(self, seconds: float) -> list[str]:
        """Let time pass and sweep; return why sessions were ended."""
        self.clock.advance(seconds)
        self.sessions.sweep()
        return self.ended


async def test_a_frame_records_when_the_previous_answer_was_sent() -> None:
    """The unit is session time, so the reaction to a prompt is the same in every replay."""
    clock = SettableClock()
    cell = Cell(clock)
    session = cell.begin()
    assert cell.judge(session).prompted is None
    sent = session.now
    clock.step(-MONTH)
    clock.advance(0.7)
    judged = cell.judge(session)
    assert judged.prompted == pytest.approx(sent, abs=1e-5)
    assert judged.at - sent == pytest.approx(0.7, abs=1e-5)


async def test_a_status_that_came_too_late_is_no_prompt() -> None:
    """The client got DROPPED, so the time of the prompt is unknown, not that of an earlier one."""
    cell = Cell(SettableClock())
    session = cell.begin()
    cell.judge(session)
    cell.sessions.frames.accept(session, stamped_jpeg(1, 1))
    frame, _ = session.start()
    cell.sessions.frames.estimated(session, frame, encode(Estimate(640, 480)))
    assert session.drop_overdue(frame.deadline + 1) == [frame]
    status = Codec.encode(Command.STATUS, {"seq": frame.seq})
    cell.sessions.receive(Judgement(session.id, frame.seq, Profile.PASSIVE, status))
    assert cell.judge(session).prompted is None


async def test_random_values_are_drawn_after_connect() -> None:
    """Equal requests start sessions with different seeds, which determine the actions."""
    cell = Cell(SettableClock())
    seeds = {cell.begin().opened.seed for _ in range(20)}
    assert len(seeds) == 20


@pytest.mark.parametrize("step", STEPS)
async def test_a_step_of_the_wall_clock_moves_no_frame(step: float) -> None:
    """``at`` is the elapsed time; ``wall``, for the token, follows the wall clock."""
    clock = SettableClock()
    cell = Cell(clock)
    session = cell.begin()
    stamps = []
    for number in range(6):
        clock.advance(0.25)
        if number == 3:
            clock.step(step)
        stamps.append(cell.judge(session))
    opened = session.opened.at
    assert [judged.at - opened for judged in stamps] == [0.25, 0.5, 0.75, 1.0, 1.25, 1.5]
    late = [0.0] * 3 + [step] * 3
    assert [judged.wall - judged.at for judged in stamps if judged.wall] == late
    assert session.now == opened + 1.5


@pytest.mark.parametrize("step", STEPS)
async def test_every_timeout_of_a_session_uses_the_monotonic_clock(step: float) -> None:
    """Each fires on time, whatever the wall clock does."""
    limits = {"sessionSeconds": 120.0, "resumeSeconds": 30.0, "frameDeadline": 5.0}
    cell = Cell(SettableClock(), **limits)
    session = cell.begin()
    cell.sessions.frames.accept(session, stamped_jpeg(1, 1))
    cell.clock.step(step)
    assert cell.sweep_after(4.9) == []
    assert session.waiting is not None
    assert cell.sweep_after(0.2) == []
    assert session.waiting is None
    client = Listener()
    session.attach(client, max_resumes=0)
    session.detach(client)
    cell.clock.step(step)
    assert cell.sweep_after(29.9) == []
    assert cell.sweep_after(0.2) == ["client gone"]
    longest = cell.begin()
    cell.clock.step(-step)
    assert cell.sweep_after(119.9) == ["client gone"]
    assert cell.sweep_after(0.2) == ["client gone", "session too long"]
    assert longest.closing == "session too long"


def given_back(session: Session, elapsed: float) -> Resumed:
    """What the aggregator sends to the next gateway."""
    history = History(encode(session.opened), session.log, session.kept)
    return Resumed(session.id, session.opened.token_digest, history, elapsed=elapsed)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("base", [50_000.0, 3.0, 1e7], ids=["same machine", "rebooted", "other"])
async def test_the_next_gateway_continues_the_time_of_the_session(step: float, base: float) -> None:
    """It adds what the aggregator has measured, whatever its own monotonic clock reads."""
    first = Cell(SettableClock())
    session = first.begin()
    first.clock.advance(10.0)
    first.judge(session)
    clock = SettableClock(first.clock.wall_time + 4.0 + step, base)
    second = Cell(clock, sessionSeconds=60.0, resumeSeconds=60.0)
    second.sessions.receive(given_back(session, elapsed=14.0))
    resumed = second.sessions.get(session.id)
    assert resumed is not None
    second.clock.advance(1.0)
    judged = second.judge(resumed)
    assert judged.at - session.opened.at == pytest.approx(15.0, abs=1e-5)
    assert judged.wall == second.clock.wall_time
    assert judged.prompted is None, "another gateway sent the previous answer"
    assert second.sweep_after(44.9) == []
    assert second.sweep_after(0.2) == ["session too long"]


@pytest.mark.parametrize("elapsed", [-MONTH, 0.0, 9.0])
async def test_time_never_decreases(elapsed: float) -> None:
    """A session is at least as old as its log shows, whatever the other clock says."""
    first = Cell(SettableClock())
    session = first.begin()
    for _ in range(3):
        first.clock.advance(5.0)
        first.judge(session)
    last = session.log[-1].at
    second = Cell(SettableClock(monotonic_time=123.456))
    second.sessions.receive(given_back(session, elapsed))
    resumed = second.sessions.get(session.id)
    assert resumed is not None
    stamps = [second.judge(resumed).at]
    for _ in range(100):
        second.clock.advance(1e-7)
        stamps.append(second.judge(resumed).at)
    assert stamps[0] >= last
    assert stamps == sorted(stamps)
    assert second.sweep_after(0.1) == []


async def test_a_step_changes_no_age() -> None:
    """The aggregator and the store get the session's age."""
    clock = SettableClock()
    session = Cell(clock).begin()
    assert session.elapsed == 0.0
    clock.advance(7.5)
    clock.step(-3600.0)
    assert session.elapsed == 7.5
