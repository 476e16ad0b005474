"""The aggregator measures how old a session is, for a gateway that has not seen it begin."""

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


class Ends:
    """A sink that keeps the sessions' ends."""

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


class Judging:
    """The sessions of an aggregator whose clock a test sets; ``said`` is what its gateway hears."""

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
        """How old the session is, as the next gateway learns it."""
        self.sessions.resume(b"", Resume("", SESSION, DIGEST))
        resumed = self.said[-1]
        assert isinstance(resumed, Resumed)
        return resumed.elapsed


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("elapsed", [0.0, 40.0], ids=["at its beginning", "in a replay"])
def test_the_next_gateway_learns_how_old_a_session_is(step: float, elapsed: float) -> None:
    """The age that the first gateway stated, plus what has passed on the monotonic clock."""
    judging = Judging()
    judging.open(elapsed)
    judging.clock.advance(2.5)
    judging.clock.step(step)
    judging.clock.advance(2.5)
    assert judging.age() == elapsed + 5.0


def test_a_session_is_as_old_as_its_last_frame_at_least() -> None:
    """Its message of opening may have been slow, and then this clock started too late."""
    judging = Judging()
    judging.open(0.0)
    judging.sessions.judge(b"", Judge("", SESSION, 1, OPENED + 3.0, encode(live(errors=(32,)))))
    judging.clock.advance(1.0)
    assert judging.age() == 3.0


@pytest.mark.parametrize("step", STEPS)
async def test_a_session_to_which_no_gateway_comes_back_ends_in_time(step: float) -> None:
    """After the longest time that it may last; the time of its end is the session's."""
    ends = Ends()
    judging = Judging(ends)
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
def test_a_token_bears_the_time_of_the_wall_clock(wall: float | None) -> None:
    """A server compares ``iat`` with its own clock now, not with the one at the opening."""
    judging = Judging()
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
