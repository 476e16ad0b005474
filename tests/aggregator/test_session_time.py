"""The aggregator measures the age of a session, for a gateway that did not see it start."""

from __future__ import annotations

import json

import jwt
import pytest

from aggregator.plugins.registry import Registry
from aggregator.sessions import JudgedSessions
from aggregator.sinks.delivery import Effects
from aggregator.sinks.events import Event, SessionEnded
from aggregator.sinks.writer import Sink
from shared.config.service import Config
from shared.process.accounts import Accounts
from shared.wire.messages import Judge, Judgement, Message, Open, Resume, Resumed, encode
from shared.wire.records import END
from tests.support.clock import SettableClock
from tests.support.judge import DIGEST, SESSION, live, plugin_config, shot
from tests.support.waiting import until

STEPS = [20.0, -3600.0, 86_400.0]
OPENED = 1000.0


class EndRecorder:
    """A sink that collects the ends of sessions."""

    name = "ends"
    dropped = 0
    disabled = False
    waiting = 0

    def __init__(self) -> None:
        self.events: list[SessionEnded] = []

    def write(self, event: Event) -> None:
        if isinstance(event, SessionEnded):
            self.events.append(event)

    def maintain(self) -> None:
        pass

    def close(self) -> None:
        pass


class AggregatorSessions:
    """The sessions of an aggregator with a settable clock.

    ``said`` is what it sent to the gateway.
    """

    def __init__(self, *sinks: Sink) -> None:
        self.clock = SettableClock()
        self.said: list[Message] = []
        self.config: Config = plugin_config({})
        self.sessions = JudgedSessions(
            self.config,
            Registry(self.config),
            Effects(sinks, 1_000_000),
            Accounts("aggregator"),
            lambda _, message: self.said.append(message),
            clock=self.clock,
        )

    def open(self, elapsed: float) -> None:
        self.sessions.open(b"", Open("", SESSION, OPENED, 7, DIGEST, elapsed=elapsed))

    def age(self) -> float:
        """Return the age of the session that the next gateway gets."""
        self.sessions.resume(b"", Resume("", SESSION, DIGEST))
        resumed = self.said[-1]
        assert isinstance(resumed, Resumed)
        return resumed.elapsed


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("elapsed", [0.0, 40.0], ids=["at its beginning", "in a replay"])
def test_the_next_gateway_gets_the_age_of_a_session(step: float, elapsed: float) -> None:
    """It is the age that the first gateway stated, plus the time elapsed on the monotonic clock."""
    judging = AggregatorSessions()
    judging.open(elapsed)
    judging.clock.advance(2.5)
    judging.clock.step(step)
    judging.clock.advance(2.5)
    assert judging.age() == elapsed + 5.0


def test_a_session_is_at_least_as_old_as_its_last_frame() -> None:
    """If the open message was slow, the aggregator's clock for the session started too late."""
    judging = AggregatorSessions()
    judging.open(0.0)
    judging.sessions.judge(b"", Judge("", SESSION, 1, OPENED + 3.0, encode(live(errors=(32,)))))
    judging.clock.advance(1.0)
    assert judging.age() == 3.0


@pytest.mark.parametrize("step", STEPS)
async def test_a_session_that_no_gateway_continues_ends_in_time(step: float) -> None:
    """It ends after its longest allowed time, and its end is dated accordingly."""
    ends = EndRecorder()
    judging = AggregatorSessions(ends)
    limits = judging.config.LIMITS
    longest = limits.sessionSeconds + limits.resumeSeconds
    judging.open(0.0)
    judging.clock.step(step)
    judging.clock.advance(longest)
    judging.sessions.sweep()
    judging.clock.advance(1.0)
    judging.sessions.sweep()
    await until(lambda: bool(ends.events))
    assert [(event.seq, event.at) for event in ends.events] == [(END, OPENED + longest + 1.0)]


@pytest.mark.parametrize("wall", [None, OPENED + 86_401.5], ids=["as opened", "as set since"])
def test_a_token_has_the_current_wall_clock_time(wall: float | None) -> None:
    """A server compares ``iat`` with its own clock now, not with that of the session's start."""
    judging = AggregatorSessions()
    judging.open(0.0)
    picture = shot(1, b"jpeg")
    message = Judge("", SESSION, 1, OPENED + 1.5, encode(live()), shot=picture, wall=wall)
    judging.sessions.judge(b"", message)
    verdict = judging.said[-1]
    assert isinstance(verdict, Judgement)
    assert verdict.result is not None
    token = json.loads(verdict.result)["body"]["jwt"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["iat"] == int(wall or OPENED + 1.5)
