"""The recently decided sessions: outcome, and the most frequent reason in their frames."""

from __future__ import annotations

from gateway.sessions.recent_sessions import MAX_SESSIONS, codes_of
from shared.codes import Code
from shared.config.service import Config
from shared.frame.estimation import Profile
from shared.wire.messages import Judgement, Opened
from shared.wire.protocol import Codec, Command
from tests.support.quiet_links import quiet_sessions
from tests.support.store_cell import have_estimated

TIMED_OUT = Codec.encode(
    Command.RESULT, {}, {"isOk": False, "jwt": None, "errors": [Code.SESSION_FAILED]}
)
ACCEPTED = Codec.encode(Command.RESULT, {}, {"isOk": True, "jwt": "x", "errors": []})


def status(*errors: int) -> str:
    """Return the text of a STATUS with codes."""
    return Codec.encode(Command.STATUS, {"seq": 1}, {"isOk": not errors, "errors": list(errors)})


async def test_the_leading_reason_is_the_most_frequent_one() -> None:
    """Prompts and "not enough frames yet" are ignored, because every session has them."""
    limits = {"framesPerSecond": 100, "frameBurst": 100}
    sessions = quiet_sessions(Config.model_validate({"LIMITS": limits}))
    session, _ = sessions.begin("192.0.2.1", mirrored=False, client="null")
    sessions.receive(Opened(session.id, Profile.PASSIVE))
    shown = [(Code.TOO_DARK, Code.ASK_TURN_LEFT)] * 2 + [(Code.AGGREGATING,)] * 9
    for codes in [*shown, (Code.NO_FACE,), (Code.ASK_TURN_LEFT,)]:
        seq = have_estimated(sessions, session)
        sessions.receive(Judgement(session.id, seq, Profile.PASSIVE, status(*codes)))
    sessions.end(session, "session too long")
    verdict = Judgement(session.id, 0, Profile.PASSIVE, "", final=True, result=TIMED_OUT)
    sessions.receive(verdict)
    (recent,) = sessions.recent.all()
    assert (recent.session, recent.code, recent.leading) == (session.id, 40, Code.TOO_DARK)


async def test_the_newest_sessions_come_first_in_limited_number() -> None:
    """An accepted session has no code, and one without judged frames no reason."""
    sessions = quiet_sessions()
    for _ in range(MAX_SESSIONS + 1):
        session, _ = sessions.begin("192.0.2.1", mirrored=False, client="null")
        sessions.receive(
            Judgement(
                session.id, 1, Profile.PASSIVE, "", final=True, accepted=True, result=ACCEPTED
            )
        )
    recent = sessions.recent.all()
    assert len(recent) == MAX_SESSIONS
    newest = recent[0]
    assert (newest.session, newest.outcome) == (session.id, "accepted")
    assert (newest.code, newest.leading) == (None, None)


def test_a_message_without_codes_has_none() -> None:
    """The end of a session has no status, and some messages have no body."""
    for text in ("", '{"command":"STATUS","headers":{},"body":null}', '{"body":{"details":{}}}'):
        assert codes_of(text) == []
