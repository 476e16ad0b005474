"""Counts refused sessions by address: at a limit the address has to pause, each time longer.

A session counts from its first frame that was refused for low liveness, otherwise from its end,
unless it is accepted or the client left at once. So a client cannot try images without end, neither
by leaving before the verdict nor by many sessions at the same time. A session counts for the
address that opened it, and for the one at which its client is at that moment: otherwise a client
with two addresses would open sessions at one and have images refused at the other.

Addresses are counted by their digests (``gateway.web.addresses.address_digest``),
called clients here.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import NamedTuple, Protocol

from gateway.sessions.session import Session
from gateway.web.addresses import address_digest, limit_key
from shared.errors import ProtocolError
from shared.frame.estimation import Profile
from shared.process.clock import SYSTEM, Clock
from shared.wire.messages import Judgement
from shared.wire.protocol import CloseCode

log = logging.getLogger(__name__)

WINDOW_SECONDS = 3600.0
"""Time for which a refused session counts."""
FIRST_PAUSE_SECONDS = 60.0
"""Pause of an address at the limit; doubled for each refused session beyond it."""
MAX_DOUBLINGS = 6
"""After these a pause would be longer than the window."""
MAX_REMEMBERED = 200_000
"""Refused sessions of all addresses together (some 40 MB). Beyond, the address whose latest one is
the oldest is forgotten."""


class Tally(NamedTuple):
    """The refused sessions of one address.

    Attributes:
        number: how many there are in the window.
        age: seconds since the latest.
    """

    number: int = 0
    age: float = 0.0

    def pause(self, limit: int) -> float:
        """Seconds until the address may open a session; 0 or less when it may."""
        if self.number < limit:
            return 0.0
        doublings = min(self.number - limit, MAX_DOUBLINGS)
        return min(WINDOW_SECONDS, FIRST_PAUSE_SECONDS * 2.0**doublings) - self.age


def max_entries(limit: int) -> int:
    """Return how many sessions of one address to remember; more do not lengthen its pause."""
    return limit + MAX_DOUBLINGS + 1


class LocalRefusals:
    """The refused sessions that this gateway has seen, in bounded memory.

    Args:
        limit: sessions in the window at which a client pauses.
        clock: measures the window and the pauses.
    """

    def __init__(self, limit: int, *, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self._max_entries = max_entries(limit)
        self._by_client: OrderedDict[str, OrderedDict[str, float]] = OrderedDict()
        self._remembered = 0

    def __len__(self) -> int:
        """Number of sessions remembered."""
        return self._remembered

    def charge(self, client: str, session: str) -> int | None:
        """Count a session.

        Returns:
            How many were counted before it; None for one that is counted already.
        """
        now = self._clock.monotonic()
        self._expire(client, now)
        entries = self._by_client.setdefault(client, OrderedDict())
        self._by_client.move_to_end(client)
        if session in entries:
            return None
        before = len(entries)
        entries[session] = now
        self._remembered += 1
        if len(entries) > self._max_entries:
            entries.popitem(last=False)
            self._remembered -= 1
        while self._remembered > MAX_REMEMBERED:
            self._remembered -= len(self._by_client.popitem(last=False)[1])
        return before

    def refund(self, client: str, session: str) -> None:
        """Stop counting a session."""
        entries = self._by_client.get(client)
        if entries is not None and entries.pop(session, None) is not None:
            self._remembered -= 1
            if not entries:
                del self._by_client[client]

    def tally(self, client: str) -> Tally:
        """Count the sessions of a client."""
        now = self._clock.monotonic()
        self._expire(client, now)
        entries = self._by_client.get(client)
        return Tally(len(entries), now - next(reversed(entries.values()))) if entries else Tally()

    def _expire(self, client: str, now: float) -> None:
        entries = self._by_client.get(client)
        while entries and now - next(iter(entries.values())) > WINDOW_SECONDS:
            entries.popitem(last=False)
            self._remembered -= 1
        if entries is not None and not entries:
            del self._by_client[client]


class SharedRefusals(Protocol):
    """The refused sessions that all gateways have seen."""

    async def charge(self, client: str, session: str) -> int | None:
        """Count a session, as ``LocalRefusals.charge``; None also where the store is down."""

    async def refund(self, client: str, session: str) -> None:
        """Stop counting a session."""

    async def tally(self, client: str) -> Tally:
        """Count the sessions of a client; none where the store is down."""

    async def close(self) -> None:
        """Close the connections."""


class RefusedSessions:
    """Limits the refused sessions of each address (IPv6: each /64).

    Args:
        limit: refused sessions within an hour at which an address pauses; 0 for no limit.
        end: ends a session that is one too many.
        shared: what other gateways count; None where there is no session store.
        key: secret of the gateways that share a store, for the digests of addresses.
        clock: measures the hour and the pauses.
    """

    def __init__(
        self,
        limit: int,
        end: Callable[[Session], None],
        shared: SharedRefusals | None = None,
        *,
        key: bytes = b"",
        clock: Clock = SYSTEM,
    ) -> None:
        self._limit = limit
        self._end = end
        self._key = key
        self._local = LocalRefusals(limit, clock=clock)
        self._shared = shared if limit else None
        self._tasks: set[asyncio.Task[None]] = set()

    def client_of(self, key: str) -> str:
        """Return the digest of an address as ``limit_key`` gives it, for ``Open.beginner``."""
        return address_digest(self._key, key)

    async def admit(self, address: str) -> int:
        """Check that an address may open a session.

        Returns:
            Refused sessions of the address so far, for ``Session.refused_before``.

        Raises:
            ProtocolError: the address has to pause; it says for how long.
        """
        if not self._limit:
            return 0
        client = self.client_of(limit_key(address))
        tallies = [self._local.tally(client)]
        if self._shared is not None:
            tallies.append(await self._shared.tally(client))
        pause = math.ceil(max(tally.pause(self._limit) for tally in tallies))
        if pause > 0:
            raise ProtocolError(
                f"too many refused sessions from this address, try again in {pause} s",
                code="session.too-many-refusals",
                close_code=CloseCode.OVERLOADED,
                retry_after=pause,
            )
        return max(tally.number for tally in tallies)

    def judged(self, session: Session, judgement: Judgement) -> None:
        """Count a session from its first frame with low liveness."""
        if judgement.low_liveness:
            self._charge(session)
        if judgement.low_liveness or judgement.profile is Profile.ACTIVE:
            session.mark_suspect()

    def ended(self, session: Session) -> None:
        """Count a session that was refused or left; count one that was accepted no more.

        A client that leaves after a frame with low liveness, or after the first action was asked
        for, counts as refused: otherwise it could wait for a lucky frame, or for actions that its
        recording shows.
        """
        if session.outcome == "accepted":
            self._refund(session)
        elif session.outcome == "refused" or session.suspect:
            self._charge(session)

    def _clients(self, session: Session) -> list[str]:
        """The clients for whom a session counts, the one that opened it first."""
        here = self.client_of(session.address) if session.address else ""
        return [client for client in dict.fromkeys((session.opened.beginner, here)) if client]

    def _charge(self, session: Session) -> None:
        if not self._limit:
            return
        for number, client in enumerate(self._clients(session)):
            before = self._local.charge(client, session.id)
            if before is None:
                continue
            session.count_for(client)
            opened_it = number == 0
            if opened_it:
                self._end_if_too_many(session, before)
            if self._shared is not None:
                self._start(self._charge_shared(self._shared, session, client, opened_it=opened_it))

    async def _charge_shared(
        self, shared: SharedRefusals, session: Session, client: str, *, opened_it: bool
    ) -> None:
        before = await shared.charge(client, session.id)
        if before is not None and opened_it:
            self._end_if_too_many(session, before)

    def _end_if_too_many(self, session: Session, before: int) -> None:
        """End one of many sessions that were opened before the limit was reached.

        One that was opened after a pause is beyond the limit from its start, and may continue
        alone.
        """
        if before + 1 >= self._limit:
            fields = session.fields(address=session.address, refused=before + 1)
            log.warning("address reached its limit of refused sessions", extra=fields)
        if before >= max(self._limit, session.refused_before + 1):
            self._end(session)

    def _refund(self, session: Session) -> None:
        """Count an accepted session no more, also where another gateway has counted it."""
        if not self._limit:
            return
        for client in session.counted_for.union(self._clients(session)):
            self._local.refund(client, session.id)
            if self._shared is not None:
                self._start(self._shared.refund(client, session.id))

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Wait for requests that are under way."""
        await asyncio.gather(*self._tasks)
        if self._shared is not None:
            await self._shared.close()
