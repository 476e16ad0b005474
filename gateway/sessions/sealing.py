"""Seals the pieces of a session for the session store, so that only a gateway can write one.

Each piece carries a code (HMAC-SHA256) of its session, its name and its content, with a key that
is derived from the signing key of the tokens. An intruder who can write to the store can delete
sessions or restore an earlier state of them, but cannot invent a frame that passed.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec

from gateway.sessions.session_report import SessionReport
from gateway.state.session import Session
from shared.errors import MessageError
from shared.frame.best_shot import BestShot
from shared.frame.estimation import Profile
from shared.wire.messages import Open, decode, encode
from shared.wire.records import Judged

CODE_BYTES = hashlib.sha256().digest_size

State = tuple[bytes, int, int, Profile | None, int, int, str | None]
"""Open event, length of the log, number of the best shot, then as in ``Stored``."""


@dataclass(frozen=True)
class Stored:
    """What another gateway needs to continue a session; most fields are those of ``Session``.

    ``elapsed`` are the seconds since its opening, by Redis's clock.
    """

    opened: Open
    log: list[Judged]
    kept: BestShot | None
    profile: Profile | None
    seq: int
    reconnects: int
    result: str | None
    elapsed: float = 0.0

    def reconnects_in(self, term: int) -> int:
        """Return the resumptions before a term.

        Each take-over counts as one, even if it is not stored yet, so that a client that switches
        gateways quickly is limited, too.
        """
        return max(self.reconnects, term - 2)


class Sealer:
    """Seals and opens the pieces of sessions, with a secret that all gateways have."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def state(self, session: Session) -> bytes:
        """All but the judged frames."""
        value = (
            encode(session.opened),
            len(session.log),
            session.kept.seq if session.kept else 0,
            session.profile,
            session.seq,
            session.reconnects,
            session.result,
        )
        return self._seal(session.id, "state", msgspec.msgpack.encode(value))

    def kept(self, session: Session) -> bytes:
        """The best shot so far."""
        seq = session.kept.seq if session.kept else 0
        return self._seal(session.id, f"kept {seq}", msgspec.msgpack.encode(session.kept))

    def judged(self, session: Session, index: int) -> bytes:
        """One judged frame, by its place in the log."""
        return self._seal(session.id, f"log {index}", msgspec.msgpack.encode(session.log[index]))

    def open(self, session: str, state: bytes, kept: bytes, log: Sequence[bytes]) -> Stored:
        """Open the pieces of one session.

        Raises:
            MessageError: a piece was not sealed by a gateway, or one is missing.
        """
        _, (_, count, kept_seq, *_) = self._state(session, state)
        if len(log) != count:
            raise MessageError("a stored session is incomplete")
        packed = self._unseal(session, f"kept {kept_seq}", kept)
        judged = [
            msgspec.msgpack.decode(self._unseal(session, f"log {index}", piece), type=Judged)
            for index, piece in enumerate(log)
        ]
        best = msgspec.msgpack.decode(packed, type=BestShot | None)
        return replace(self.without_frames(session, state), log=judged, kept=best)

    def without_frames(self, session: str, state: bytes) -> Stored:
        """Open the state alone, without judged frames and best shot.

        Raises:
            MessageError: it was not sealed by a gateway.
        """
        opened, (_, _, _, profile, seq, reconnects, result) = self._state(session, state)
        return Stored(opened, [], None, profile, seq, reconnects, result)

    def report(self, session: str, state: bytes) -> SessionReport:
        """Open what the relying party may know.

        Raises:
            MessageError: it was not sealed by a gateway.
        """
        opened, (*_, result) = self._state(session, state)
        return SessionReport(opened.start, result)

    def _state(self, session: str, state: bytes) -> tuple[Open, State]:
        value = msgspec.msgpack.decode(self._unseal(session, "state", state), type=State)
        opened = decode(value[0])
        if not isinstance(opened, Open) or opened.session != session:
            raise MessageError("a stored session is incomplete")
        return opened, value

    def _seal(self, session: str, name: str, content: bytes) -> bytes:
        return self._code(session, name, content) + content

    def _unseal(self, session: str, name: str, piece: bytes) -> bytes:
        code, content = piece[:CODE_BYTES], piece[CODE_BYTES:]
        if not hmac.compare_digest(code, self._code(session, name, content)):
            raise MessageError("a stored session was not written by a gateway")
        return content

    def _code(self, session: str, name: str, content: bytes) -> bytes:
        return hmac.digest(self._key, f"{session} {name}\n".encode() + content, "sha256")
