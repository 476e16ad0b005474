"""Sessions in line for a worker: addresses take turns, then the sessions of each address."""

from __future__ import annotations

from collections import OrderedDict, deque

from gateway.session import Session


class FairQueue:
    """Round robin over addresses (IPv6: over /64), and over the sessions of each.

    While workers are idle the order does not matter. When they are not, every address that has a
    frame waiting gets the same share, so many sessions of one address take nothing from the others.

    A session that changes its address while it is in line keeps the place of the old one.
    """

    def __init__(self) -> None:
        self._addresses: OrderedDict[str, deque[Session]] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        """Number of sessions in line."""
        return self._count

    def push(self, session: Session) -> None:
        """Put a session at the end of its address's line, unless it is in line already."""
        if session.queued:
            return
        session.queued = True
        self._count += 1
        self._addresses.setdefault(session.address, deque()).append(session)

    def pop(self) -> Session | None:
        """Take the next session of the next address; that address is the last from now on."""
        if not self._addresses:
            return None
        address, sessions = self._addresses.popitem(last=False)
        session = sessions.popleft()
        if sessions:
            self._addresses[address] = sessions
        session.queued = False
        self._count -= 1
        return session

    def drop_idle(self) -> None:
        """Let go of sessions that have no frame to judge any more."""
        for address, sessions in list(self._addresses.items()):
            for session in sessions:
                session.queued = session.dispatchable
            kept = deque(session for session in sessions if session.queued)
            self._count -= len(sessions) - len(kept)
            if kept:
                self._addresses[address] = kept
            else:
                del self._addresses[address]
