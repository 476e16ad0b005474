"""The sessions that this gateway has now, by id, and how many it may have."""

from collections.abc import Mapping

from gateway.limits.buckets import TokenBucket
from gateway.sessions.unsettled import Unsettled
from gateway.state.session import Session
from shared.config.service import Config
from shared.frame.best_shot import BestShot
from shared.frame.estimation import Profile
from shared.process.clock import SYSTEM, Clock
from shared.wire.messages import Open
from shared.wire.protocol import ProtocolError
from shared.wire.records import Judged


class SessionRegistry:
    """Holds the sessions."""

    def __init__(self, config: Config, unsettled: Unsettled, *, clock: Clock = SYSTEM) -> None:
        self._limits = config.LIMITS
        self._unsettled = unsettled
        self._clock = clock
        self._sessions: dict[str, Session] = {}

    def all(self) -> list[Session]:
        """All sessions now, as a copy."""
        return list(self._sessions.values())

    def get(self, identity: str) -> Session | None:
        """The session with an id."""
        return self._sessions.get(identity)

    @property
    def undecided(self) -> int:
        """Number of sessions whose client may not have a verdict yet."""
        return sum(not session.released for session in self._sessions.values())

    def require_room(self, pending: int = 0) -> None:
        """Check that one more session may start, besides pending ones.

        Raises:
            ProtocolError: there are too many in total.
        """
        if self.undecided + pending >= self._limits.sessions:
            raise ProtocolError("the service is full, try again later", code="session.full")

    def require_room_for(self, address: str) -> None:
        """Check that an address, as ``limit_key`` returns it, may start one more session.

        Raises:
            ProtocolError: there are too many, in total or of this address.
        """
        self.require_room()
        if self._undecided_of(address) >= self._limits.sessionsPerAddress:
            raise ProtocolError("too many sessions from this address", code="session.too-many")

    def _undecided_of(self, address: str) -> int:
        """Number of sessions of an address without a verdict; the others need no judging.

        A session counts for the address that opened it and for that of its client: otherwise a
        client with two addresses could open sessions at one and continue them all at the other.
        """
        return sum(
            session.result is None and address in (session.address, session.opened_at)
            for session in self._sessions.values()
        )

    def add(
        self, opened: Open, address: str, *, refused_before: Mapping[str, int] | None = None
    ) -> Session:
        """Make a session and hold it; ``address`` is as in ``SessionRecord``."""
        bucket = TokenBucket(self._limits.framesPerSecond, self._limits.frameBurst)
        now = self._clock.monotonic()
        session = Session(
            opened.session,
            opened,
            address,
            bucket,
            now,
            asked=now,
            refused_before=refused_before or {},
            clock=self._clock,
            opened_at=address,
        )
        self._sessions[session.id] = session
        return session

    def revive(
        self,
        opened: Open,
        judged: list[Judged],
        kept: BestShot | None,
        profile: Profile | None,
        elapsed: float,
    ) -> Session:
        """Make a session from its log, as ``Session.restore`` does."""
        session = self.add(opened, "")
        session.restore(judged, kept, profile, elapsed)
        return session

    def remove(self, session: Session) -> None:
        """Drop a session and the images that it retains."""
        session.end()
        self._unsettled.forget(session)
        del self._sessions[session.id]
