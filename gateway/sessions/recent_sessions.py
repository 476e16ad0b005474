"""The last decided sessions, for the operator's page: outcome and most frequent code of each."""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from gateway.state.session import Session
from shared.codes import PROMPTS, Code

MAX_SESSIONS = 20


class _Body(msgspec.Struct):
    errors: list[int] = []


class _Message(msgspec.Struct):
    body: _Body | None = None


_DECODER = msgspec.json.Decoder(_Message)


def codes_of(text: str) -> list[int]:
    """Return the codes in the text of a STATUS; none if there is no text."""
    if not text:
        return []
    body = _DECODER.decode(text).body
    return body.errors if body else []


class RecentSession(NamedTuple):
    """A decided session, without anything measured on the person.

    Attributes:
        at: Unix time of the verdict, in seconds.
        outcome: ``accepted``, ``refused`` or ``left``.
        seconds: from its opening to the verdict.
        code: first code of the verdict; None if it has none.
        leading: the code that most of its frames had; None if no frame had any.
    """

    at: float
    session: str
    outcome: str
    seconds: float
    frames: int
    code: int | None
    leading: int | None


class RecentSessions:
    """The last ``MAX_SESSIONS`` decided sessions, the newest first."""

    def __init__(self) -> None:
        self._sessions: deque[RecentSession] = deque(maxlen=MAX_SESSIONS)

    def add(self, session: Session, seconds: float, codes: Sequence[int]) -> None:
        """Add a session that was just decided here; ``codes`` are those of its verdict."""
        code, leading = next(iter(codes), None), leading_code(session)
        fields = (session.id, session.outcome, seconds, session.seq)
        self._sessions.appendleft(RecentSession(session.clock.wall(), *fields, code, leading))

    def all(self) -> list[RecentSession]:
        """Return the sessions."""
        return list(self._sessions)


def leading_code(session: Session) -> int | None:
    """Return the most frequent code of a session's frames that names an obstacle.

    Prompts of the active check and "not enough frames yet" belong to every session.
    """
    obstacles = {
        code: count
        for code, count in session.codes.items()
        if code not in PROMPTS and code != Code.AGGREGATING
    }
    return max(obstacles, key=obstacles.__getitem__, default=None)
