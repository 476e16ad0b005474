"""A session's questions reach the aggregator, also where one was lost on the way."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from gateway import metrics
from gateway.session import PendingFrame, Session, digest
from gateway.sessions import ASK_AGAIN_SECONDS, CLIENT_LEFT, Sessions
from shared.config import Config
from shared.estimation import Estimate, Profile
from shared.messages import Opened, Resumed, Verdict, encode
from shared.protocol import CloseCode
from tests.support.stamp import stamped_jpeg


@dataclass
class Neighbours:
    """An aggregator and a dispatcher that only note what they are asked."""

    asked: list[str] = field(default_factory=list)
    frames: list[PendingFrame] = field(default_factory=list)

    def submit(self, session: Session) -> None:
        assert session.waiting is not None
        session.active, session.waiting = session.waiting, None
        self.frames.append(session.active)


class Listener:
    """A client that is there."""

    def send(self, text: str) -> None:
        pass

    def close(self, code: CloseCode, reason: str) -> None:
        pass


@pytest.fixture
def neighbours() -> Neighbours:
    return Neighbours()


@pytest.fixture
def sessions(neighbours: Neighbours) -> Sessions:
    made = Sessions(Config())
    made.submit = neighbours.submit
    made.ask_open = lambda session: neighbours.asked.append("open")
    made.ask_verdict = lambda session, frame: neighbours.asked.append(f"verdict {frame.seq}")
    made.ask_close = lambda session, reason: neighbours.asked.append(f"close: {reason}")
    return made


def later(session: Session) -> None:
    """Let the last question be as old as one that has no answer any more."""
    session.asked -= ASK_AGAIN_SECONDS + 1


async def test_a_lost_question_is_asked_again(sessions: Sessions, neighbours: Neighbours) -> None:
    """Whichever it was; not at once, and not when it is answered."""
    session, _ = sessions.begin("192.0.2.1", mirrored=False, client="null")
    sessions.sweep()
    assert neighbours.asked == ["open"]
    later(session)
    sessions.sweep()
    sessions.sweep()
    assert neighbours.asked == ["open", "open"]

    sessions.receive(Opened(session.id, Profile.PASSIVE))
    sessions.accept(session, stamped_jpeg(1, 1))
    sessions.estimated(session, neighbours.frames[0], encode(Estimate(640, 480)))
    later(session)
    sessions.sweep()
    assert neighbours.asked[2:] == ["verdict 1", "verdict 1"]

    verdict = Verdict(session.id, 1, Profile.PASSIVE, "{}")
    sessions.receive(verdict)
    sessions.receive(verdict)
    later(session)
    sessions.sweep()
    assert len(session.log) == 1
    assert len(neighbours.asked) == 4

    sessions.end(session, "test")
    later(session)
    sessions.sweep()
    assert neighbours.asked[4:] == ["close: test", "close: test"]


def outcomes() -> dict[str, int]:
    return metrics.totals(metrics.SESSIONS, "outcome")


ENDINGS = {
    "says goodbye": (CLIENT_LEFT, True, 0, False, "left"),
    "does not come back": ("client gone", False, 0, False, "left"),
    "is away for all its time": ("session too long", False, 0, False, "left"),
    "stays too long": ("session too long", True, 0, False, "refused"),
    "is judged just before": (CLIENT_LEFT, True, 7, False, "refused"),
    "is accepted just before": (CLIENT_LEFT, False, 0, True, "accepted"),
}


@pytest.mark.parametrize("ending", ENDINGS)
async def test_who_leaves_before_a_verdict_is_not_refused(sessions: Sessions, ending: str) -> None:
    """Counted as ``left``; what was judged counts as it was judged, also when the client goes."""
    reason, stays, seq, accepted, expected = ENDINGS[ending]
    session, _ = sessions.begin("192.0.2.1", mirrored=False, client="null")
    if stays:
        sessions.attach(session, Listener())
    before = outcomes()
    sessions.end(session, reason)
    verdict = Verdict(
        session.id, seq, Profile.PASSIVE, "", final=True, accepted=accepted, result="{}"
    )
    for _ in range(2):  # a repetition counts no more
        sessions.receive(verdict)
    grown = {name: count - before[name] for name, count in outcomes().items()}
    assert grown == {"accepted": 0, "refused": 0, "left": 0, expected: 1}


async def test_a_replay_tells_by_what_the_session_was_judged(sessions: Sessions) -> None:
    """Each aggregator names its plugins; the next one is told the last name."""
    session, _ = sessions.begin("192.0.2.1", mirrored=False, client="null")
    for name in ("first", "second"):
        sessions.receive(Opened(session.id, Profile.PASSIVE, name))
        assert session.opened.plugins == name


async def test_a_frame_dropped_at_its_deadline_is_not_judged_after_all(
    sessions: Sessions, neighbours: Neighbours
) -> None:
    """What a client was told stays true: a late estimate counts for nothing."""
    session, _ = sessions.begin("192.0.2.1", mirrored=False, client="null")
    sessions.receive(Opened(session.id, Profile.PASSIVE))
    sessions.accept(session, stamped_jpeg(1, 1))
    neighbours.frames[0].deadline -= 3600
    sessions.sweep()
    assert neighbours.frames[0].answered
    sessions.estimated(session, neighbours.frames[0], encode(Estimate(640, 480)))
    assert "verdict 1" not in neighbours.asked
    assert session.active is None


async def test_one_who_gives_up_leaves_the_answer_to_the_other(sessions: Sessions) -> None:
    """Of two who resume by one token, the one that waits longer gets the answer."""
    asked: list[tuple[str, bytes]] = []
    sessions.ask_resume = lambda *key: asked.append(key)
    identity, token = "0" * 32, "t"
    hasty, patient = (
        asyncio.create_task(sessions.resume(identity, token, "192.0.2.1")) for _ in range(2)
    )
    await asyncio.sleep(0)
    hasty.cancel()
    await asyncio.sleep(0)
    sessions.receive(Resumed(identity, digest(token)))
    assert await asyncio.wait_for(patient, 5) is None
    assert asked == [(identity, digest(token))]
    assert not sessions._resuming
    assert not sessions._waiting
