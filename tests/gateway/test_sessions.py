"""How sessions end is counted, and by what they are judged is kept."""

from __future__ import annotations

import pytest

from gateway import metrics
from gateway.sessions import CLIENT_LEFT, Sessions
from shared.config import Config
from shared.estimation import Profile
from shared.messages import Opened, Verdict
from shared.protocol import CloseCode


class Listener:
    """A client that is there."""

    def send(self, text: str) -> None:
        pass

    def close(self, code: CloseCode, reason: str) -> None:
        pass


@pytest.fixture
def sessions() -> Sessions:
    made = Sessions(Config())
    made.ask_open = lambda session: None
    made.ask_close = lambda session, reason: None
    return made


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
        session.attach(Listener(), most=0)
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
