"""Random lives of a session: frames and verdicts, with restarts of client, aggregator and store.

The test drives the gateway's own parts as the connection, the pool, the aggregator and the session
store do.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gateway.limits.buckets import TokenBucket
from gateway.sessions.sessions import Sessions
from gateway.state.pending_frame import PendingFrame
from gateway.state.session import Session
from gateway.state.transitions import TRANSITIONS, State
from shared.config.service import Config
from shared.errors import FrameError
from shared.frame.estimation import Estimate, Profile
from shared.frame.intake import Header
from shared.wire.messages import Judgement, Missing, Open, Opened, Welcome, encode
from shared.wire.protocol import CloseCode, Codec, Command
from tests.support.clock import SettableClock
from tests.support.quiet_links import HoldingHandover, QuietLink, QuietPool
from tests.support.stamp import stamped_jpeg

FRAME = stamped_jpeg(1, 1)
ESTIMATE = encode(Estimate(640, 480))
LIMITS: dict[str, float] = {
    "sessionSeconds": 600.0,
    "framesPerSecond": 5.0,
    "reconnects": 1000,
    "logFrames": 8,
}


def rarely(usual: Any, *others: Any) -> st.SearchStrategy[Any]:
    """Return one value most of the time, so that a life does not end at once."""
    return st.sampled_from([*(6 * [usual]), *others])


class WatchedSession(Session):
    """Checks each change of the state."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "state":
            assert value in TRANSITIONS[self.state].values(), (self.state, value)
        super().__setattr__(name, value)


class Client:
    """A client that records what it receives, over all its connections."""

    def __init__(self, heard: list[dict[str, Any]]) -> None:
        self.heard = heard

    def send(self, text: str) -> None:
        self.heard.append(json.loads(text))

    def close(self, code: CloseCode, reason: str) -> None:
        pass

    def end_with(self, text: str, code: CloseCode, reason: str) -> None:
        self.send(text)


class SessionLife(RuleBasedStateMachine):
    """One session whose client is connected whenever something is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = SettableClock()
        self.pool, self.link, self.store = QuietPool(), QuietLink(), HoldingHandover()
        config = Config.model_validate({"LIMITS": LIMITS})
        self.sessions = Sessions(config, self.pool, self.link, clock=self.clock)
        self.sessions.handover = self.store
        self.session, _ = self.sessions.begin("192.0.2.1", mirrored=False, client="null")
        self.session.__class__ = WatchedSession
        self.heard: list[dict[str, Any]] = []
        self.session.attach(Client(self.heard), max_resumes=1000)
        self.started: list[PendingFrame] = []
        self.lent: list[PendingFrame] = []
        self.stored_frames = 0
        self.first_result: str | None = None

    @rule(steps=st.integers(1, 6))
    def proceed(self, steps: int) -> None:
        """Do the next step of an undisturbed session; the other rules disturb it."""
        for _ in range(steps):
            if self.session.dispatchable:
                self._start()
            elif self.lent:
                self.sessions.frames.estimated(self.session, self.lent.pop(0), ESTIMATE)
            elif self.session.judging is not None:
                self._judge(self.session.judging.seq, Profile.PASSIVE, None)
            elif self.store.waiting is not None:
                self.write()
            else:
                self.sessions.frames.accept(self.session, FRAME)

    # The connection

    @initialize(profile=st.sampled_from([None, *Profile]))
    def open(self, profile: Profile | None) -> None:
        if profile is not None:
            self.sessions.receive(Opened(self.session.id, profile))

    @rule(data=rarely(FRAME, b"no image"))
    def send_frame(self, data: bytes) -> None:
        self.sessions.frames.accept(self.session, data)

    @rule(seconds=st.sampled_from([0.1, 1.0, 6.0]))
    def wait(self, seconds: float) -> None:
        """Wait, possibly longer than a frame may wait for its answer."""
        self.clock.advance(seconds)
        self.sessions.sweep()
        self.sessions.replay.repeat_overdue()

    @rule(what=st.sampled_from(["client resumes", "aggregator restarts", "is known", "is missing"]))
    def interrupt(self, what: str) -> None:
        if what == "client resumes":
            self.session.attach(Client(self.heard), max_resumes=1000)
            self.session.deliver()
        elif what == "aggregator restarts":
            self.sessions.receive(Welcome("another", 1))
        elif what == "is missing":
            self.sessions.receive(Missing(self.session.id))
        else:
            self.sessions.receive(Opened(self.session.id, Profile.PASSIVE))

    @rule(how=rarely("", "client leaves", "verdict from outside", "another gateway has it"))
    def finish(self, how: str) -> None:
        if how == "client leaves":
            self.sessions.end(self.session, "client left")
        elif how == "verdict from outside":
            self._judge(0, Profile.PASSIVE, how)
        elif how and self.sessions.get(self.session.id) is not None:
            self.sessions.remove(self.session)

    # The pool

    @precondition(lambda self: self.session.dispatchable)
    @rule()
    def start_frame(self) -> None:
        self._start()

    def _start(self) -> None:
        assert self.session in self.pool.in_line
        assert (self.session.active, self.session.unsent) == (None, None)
        assert len(self.session.log) == self.stored_frames
        frame, _ = self.session.start()
        self.started.append(frame)
        self.lent.append(frame)

    @precondition(lambda self: self.lent)
    @rule(damaged=rarely(False, True))
    def report_frame(self, damaged: bool) -> None:
        frame = self.lent.pop(0)
        if damaged:
            self.sessions.frames.refuse(self.session, frame, FrameError("damaged"))
        else:
            self.sessions.frames.estimated(self.session, frame, ESTIMATE)

    # The aggregator

    @precondition(lambda self: self.link.judging)
    @rule(back=rarely(1, 2, 3), profile=st.sampled_from(Profile), final=rarely(False, True))
    def judge(self, back: int, profile: Profile, final: bool) -> None:
        """Judge the last requested frame, or an earlier one again."""
        frame = self.link.judging[-min(back, len(self.link.judging))]
        self._judge(frame.seq, profile, f"verdict on {frame.seq}" if final else None)

    def _judge(self, seq: int, profile: Profile, result: str | None) -> None:
        status = Codec.encode(Command.STATUS, {"seq": seq})
        body = {"isOk": False, "jwt": None, "errors": [], "verdict": result}
        text = None if result is None else Codec.encode(Command.RESULT, {}, body)
        final = text is not None
        message = Judgement(self.session.id, seq, profile, status, final=final, result=text)
        self.sessions.receive(message)
        self.first_result = self.first_result or self.session.result

    # The session store

    @rule()
    def write(self) -> None:
        self.store.write()
        self.stored_frames = len(self.session.log)

    # Invariants

    def answers(self) -> Counter[int]:
        """Return the number of answers to each frame."""
        return Counter(
            message["headers"]["seq"]
            for message in self.heard
            if message["command"] in ("STATUS", "DROPPED")
        )

    @invariant()
    def a_frame_is_answered_once(self) -> None:
        assert all(count == 1 for count in self.answers().values())

    @invariant()
    def one_frame_is_under_way(self) -> None:
        session = self.session
        under_way = [frame for frame in self.started if frame is session.active]
        assert len(under_way) <= 1
        if session.state is State.ESTIMATING:
            assert session.active is not None
            assert session.active.estimate is None
        elif session.state is State.JUDGING:
            assert session.judging is not None
        elif session.state not in (State.CLOSING, State.DECIDED):
            assert session.active is None

    @invariant()
    def one_frame_is_judged_and_not_stored(self) -> None:
        assert len(self.session.log) - self.stored_frames <= 1

    @invariant()
    def there_is_one_verdict(self) -> None:
        assert self.session.result == self.first_result
        results = [message for message in self.heard if message["command"] == "RESULT"]
        assert {json.dumps(result) for result in results} <= {
            json.dumps(json.loads(self.first_result)) if self.first_result else ""
        }
        assert not results or self.session.state in (State.RELEASED, State.ENDED)

    def teardown(self) -> None:
        """Check that every frame has its answer, unless another gateway has the session."""
        if self.sessions.get(self.session.id) is None:
            return
        self._judge(0, Profile.PASSIVE, "verdict at the end")
        self.write()
        assert self.session.released
        assert self.answers() == Counter(range(1, self.session.seq + 1))


TestSessionLife = SessionLife.TestCase
TestSessionLife.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, derandomize=True, database=None
)


@pytest.fixture
def judging() -> Session:
    """A session whose first frame has its estimate."""
    opened = Open("", "0" * 32, 1.0, 2, bytes(32))
    session = Session(opened.session, opened, "", TokenBucket(9, 9), 0.0, Profile.PASSIVE)
    session.offer(PendingFrame(1, b"", Header("jpeg", 640, 480), 0.0, 5.0))
    session.start()
    session.estimated(ESTIMATE)
    return session


def test_an_event_outside_the_table_raises(judging: Session) -> None:
    """It changes nothing."""
    frame = judging.active
    with pytest.raises(RuntimeError, match="JUDGING: release is impossible"):
        judging.release()
    assert (judging.state, judging.active) == (State.JUDGING, frame)


def test_an_image_may_be_used_unless_the_best_shot_is_as_good(judging: Session) -> None:
    """The aggregator gives the best shot's score where that alone decides."""
    assert judging.may_use_image(0.1)
    judging.judged(Judgement(judging.id, 1, Profile.PASSIVE, "status", best_score=0.9))
    assert [judging.may_use_image(score) for score in (0.89, 0.9, 0.91, None)] == [
        False,
        False,
        True,
        True,
    ]
    judging.mark_replayed()
    assert judging.may_use_image(0.1)


def test_a_verdict_after_the_deadline_is_not_sent(judging: Session) -> None:
    """The client got DROPPED for the frame, but the frame counts."""
    assert [frame.seq for frame in judging.drop_overdue(6.0)] == [1]
    judging.judged(Judgement(judging.id, 1, Profile.PASSIVE, "status"))
    assert judging.state is State.HOLDING
    assert judging.answer() is None
    assert (judging.state, judging.last_judged) == (State.READY, 1)


def test_after_an_early_refusal_a_quick_look_pays(judging: Session) -> None:
    """Eight in a row at most; a full look follows, in case the quick ones were wrong."""
    expected, early = [], [True] * 11 + [False, True]
    for seq, refused_early in enumerate(early, 1):
        if seq > 1:
            judging.offer(PendingFrame(seq, b"", Header("jpeg", 640, 480), 0.0, 5.0))
            judging.start()
            judging.estimated(ESTIMATE)
        assert judging.active is not None
        judging.active.refused_early = refused_early
        judging.judged(Judgement(judging.id, seq, Profile.PASSIVE, "status"))
        judging.answer()
        expected.append(judging.expects_refusal)
    assert expected == [*[True] * 8, False, True, True, False, True]
