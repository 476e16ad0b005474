"""Requests repeated to the aggregator: unanswered ones, and the whole log after its restart."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from gateway.ledger import Ledger
from gateway.limits.buckets import TokenBucket
from gateway.metrics import STEPS
from gateway.sessions.judgement import JudgementLink
from gateway.sessions.registry import SessionRegistry
from gateway.sessions.replay import ASK_AGAIN_SECONDS, Replay
from gateway.sessions.sessions import Sessions
from gateway.sessions.unsettled import Unsettled
from gateway.state.pending_frame import FramePictures
from gateway.state.session import Session
from shared.frame.estimation import Estimate, Profile
from shared.wire.messages import (
    Close,
    Forget,
    GatewayHello,
    Judge,
    Judgement,
    Missing,
    Open,
    Opened,
    Settled,
    Welcome,
    decode,
    encode,
)
from shared.wire.records import END, Judged
from tests.support.aggregator_line import FILE_LOGGER, NO_PLUGINS, config, listening
from tests.support.clock import SettableClock
from tests.support.judge import shot
from tests.support.quiet_links import QuietLink, QuietPool, quiet_sessions
from tests.support.stamp import stamped_jpeg
from tests.support.store_cell import RESULT, have_estimated


async def test_an_unanswered_request_is_repeated(tmp_path: Path) -> None:
    """Any kind of request; not immediately, and not if it was answered."""
    settings = config(tmp_path, FILE_LOGGER)
    aggregator = listening(settings)
    link = JudgementLink(settings, Ledger(STEPS), clock=SettableClock(monotonic_time=0.0))  # is up
    sessions = Sessions(settings, QuietPool(), link)
    session, _ = sessions.begin("192.0.2.1", mirrored=False, client="null")

    def asked(*, later: bool = False) -> list[str]:
        """Requests since the last call; ``later`` once every request is old enough to repeat."""
        session.asked -= ASK_AGAIN_SECONDS + 1 if later else 0
        link.beat()
        sessions.replay.repeat_overdue()
        sessions.replay.repeat_overdue()
        link.forget(session)
        names = []
        while not isinstance(message := decode(aggregator.recv_multipart()[1]), Forget):
            if not isinstance(message, GatewayHello):
                names.append(type(message).__name__)
            if isinstance(message, Judge | Close):
                assert message.after == session.last_judged
        return names

    assert asked() == ["Open"]
    assert asked(later=True) == ["Open"]

    sessions.receive(Opened(session.id, Profile.PASSIVE))
    sessions.frames.accept(session, stamped_jpeg(1, 1))
    assert asked(later=True) == []  # the request is at a worker, not the aggregator
    frame, _ = session.start()
    sessions.frames.estimated(session, frame, encode(Estimate(640, 480)))
    assert asked() == ["Judge"]
    assert asked(later=True) == ["Judge"]

    verdict = Judgement(session.id, 1, Profile.PASSIVE, "{}")
    sessions.receive(verdict)
    sessions.receive(verdict)
    assert asked(later=True) == []
    assert len(session.log) == 1

    sessions.end(session, "test")
    assert asked() == ["Close"]
    assert asked(later=True) == ["Close"]

    session.opened = replace(session.opened, commits=True)
    sessions.receive(replace(verdict, seq=0, final=True, result=RESULT))
    assert asked() == ["Commit"]
    assert asked(later=True) == ["Commit"]
    sessions.receive(Settled(((session.id, END),), ()))
    assert asked(later=True) == []
    link.close()
    aggregator.close(linger=0)


class Asked:
    """A session with one judged frame, and what its aggregator is asked."""

    def __init__(self) -> None:
        self._clock, self.link = SettableClock(), QuietLink()
        self.sessions = quiet_sessions(link=self.link, clock=self._clock)
        self.session, _ = self.sessions.begin("192.0.2.1", mirrored=False, client="null")
        self.sessions.receive(Opened(self.session.id, Profile.PASSIVE, "plugins"))
        seq = have_estimated(self.sessions, self.session)
        self.sessions.receive(Judgement(self.session.id, seq, Profile.ACTIVE, "{}"))
        self.next()

    def next(self, seconds: float = 0.0) -> list[str]:
        """Requests since the last call, after some seconds."""
        self._clock.advance(seconds)
        self.sessions.replay.repeat_overdue()
        self.sessions.replay.repeat_overdue()
        asked = self.link.asked.copy()
        self.link.asked.clear()
        return asked


@pytest.mark.parametrize("closing", [False, True])
async def test_a_lost_replay_is_repeated(closing: bool) -> None:
    """First its opening; the whole log only if the aggregator says that it lacks frames.

    For the client the session is not a new one.
    """
    asked = Asked()
    if closing:
        asked.sessions.end(asked.session, "client gone")
        assert asked.next() == ["close"]
    replay = ["replay", "close"] if closing else ["replay"]
    asked.sessions.receive(Welcome("another", 1))
    assert asked.next() == replay
    assert asked.next(ASK_AGAIN_SECONDS - 1) == []
    asked.link.up = False  # a repetition would only lengthen the queue
    assert asked.next(2) == []
    asked.link.up = True
    assert asked.next() == ["replay"]
    asked.sessions.receive(Opened(asked.session.id, Profile.PASSIVE, "plugins"))
    assert asked.next(ASK_AGAIN_SECONDS + 1) == (["close"] if closing else [])
    asked.sessions.receive(Missing(asked.session.id))
    assert asked.next(ASK_AGAIN_SECONDS + 1) == replay
    assert (asked.session.profile, asked.session.opened.plugins) == (Profile.ACTIVE, "plugins")


async def test_a_session_that_the_aggregator_has_dropped_is_replayed() -> None:
    """As after a long partition; however many answers say so, not more often than other requests.

    Without this its client would never get RESULT, and it would count as undecided.
    """
    asked = Asked()
    asked.sessions.end(asked.session, "client gone")
    assert asked.next() == ["close"]
    for _ in range(3):
        asked.sessions.receive(Missing(asked.session.id))
    assert asked.next() == []
    assert asked.next(ASK_AGAIN_SECONDS + 1) == ["replay", "close"]
    asked.sessions.receive(Missing("f" * 32))  # of a session that is gone here, too


async def test_a_new_aggregator_gets_the_same_best_shot(tmp_path: Path) -> None:
    """It is not encoded again; other images are sent if they are still retained.

    Its plugins may use the images of frames that the earlier ones did not need.
    """
    settings = config(tmp_path, NO_PLUGINS)
    aggregator = listening(settings)
    link = JudgementLink(settings, Ledger(STEPS))
    registry = SessionRegistry(settings, Unsettled(settings.MIDDLEWARES.WS, 0))
    opened = Open("", "0" * 32, 1.0, 2, bytes(32))
    session = Session(opened.session, opened, "", TokenBucket(9, 9), 0.0)
    estimate = encode(Estimate(640, 480))
    session.log = [Judged(seq, float(seq), estimate, (b"yes",)) for seq in (1, 2, 3, 4)]
    session.kept, session.best_score = shot(2, b"best"), 0.9
    session.unsettled = {3: FramePictures(b"sent", None), 4: FramePictures(None, shot(4, b"later"))}
    Replay(settings, registry, link).replay(session)
    assert session.may_use_image(0.1)
    asked = []
    while len(asked) < 4:
        message = decode(aggregator.recv_multipart()[1])
        if isinstance(message, Judge):
            asked.append((message.seq, message.received, message.shot))
            assert (message.replay, message.answers) == (True, (b"yes",))
            assert message.after == message.seq - 1
    assert asked == [
        (1, None, None),
        (2, None, session.kept),
        (3, b"sent", None),
        (4, None, shot(4, b"later")),
    ]
    link.close()
    aggregator.close(linger=0)
