"""Queue of sessions for a worker: addresses take turns, and so do the sessions of each."""

from collections import OrderedDict, deque
from collections.abc import Callable

from gateway.state.session import Session

ACTIVE_SECONDS = 5.0
"""Time for which an address counts as active after its last frame."""


class FairQueue:
    """Round robin over addresses (IPv6: over /64), and over the sessions of each.

    When all workers are busy, every address with a waiting frame gets the same share, so many
    sessions of one address take nothing from the others. A queued session whose address changes
    keeps its place. The dispatcher reads ``count``, the number of queued sessions, several times
    per frame.
    """

    def __init__(self) -> None:
        self._addresses: OrderedDict[str, deque[Session]] = OrderedDict()
        self._queued: set[int] = set()  # identities of objects: a session is not hashable
        self._pushed: OrderedDict[str, float] = OrderedDict()
        self.count = 0

    def __len__(self) -> int:
        """Return ``count``."""
        return self.count

    def __contains__(self, session: Session) -> bool:
        """Return whether a session is queued."""
        return id(session) in self._queued

    @property
    def active(self) -> int:
        """Number of addresses that sent a frame within ``ACTIVE_SECONDS``."""
        return len(self._pushed)

    def push(self, session: Session, now: float) -> None:
        """Queue a session at the end of its address's queue, unless it is queued already."""
        if id(session) in self._queued:
            return
        self._queued.add(id(session))
        self.count += 1
        self._addresses.setdefault(session.address, deque()).append(session)
        self._pushed[session.address] = now
        self._pushed.move_to_end(session.address)

    def pop(self, admit: Callable[[str], bool] | None = None) -> Session | None:
        """Take the next session of the next address, which then moves to the end.

        ``admit`` returns whether an address may have its turn; None allows all.
        """
        for address, sessions in self._addresses.items():
            if admit is not None and not admit(address):
                continue
            session = sessions.popleft()
            if sessions:
                self._addresses.move_to_end(address)
            else:
                del self._addresses[address]
            self._queued.remove(id(session))
            self.count -= 1
            return session
        return None

    def tidy(self, now: float) -> None:
        """Discard sessions without a frame that may start, and inactive addresses."""
        while self._pushed and next(iter(self._pushed.values())) < now - ACTIVE_SECONDS:
            self._pushed.popitem(last=False)
        for address, sessions in list(self._addresses.items()):
            kept = deque(session for session in sessions if session.dispatchable)
            for session in sessions:
                if not session.dispatchable:
                    self._queued.remove(id(session))
            self.count -= len(sessions) - len(kept)
            if kept:
                self._addresses[address] = kept
            else:
                del self._addresses[address]
