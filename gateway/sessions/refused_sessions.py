"""Counts refused sessions by address, person and kiosk; at a limit each is blocked for a while.

Each further refused session doubles that time. A session counts from its first frame with low
liveness, otherwise from its end, unless it is accepted or the client left at once. So a client
cannot try images without end, neither by leaving before the verdict nor by many sessions at the
same time. A session counts for the address that opened it, and for the one at which its client is
at that moment: otherwise a client with two addresses would open sessions at one and have images
refused at the other.

Person and kiosk are the claims ``sub`` and ``kiosk`` of the start token. In this module a client is
the digest of an address, a person or a kiosk (``gateway.limits.addresses.address_digest``).
"""

import asyncio
import json
import logging
import math
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import NamedTuple, Protocol

from gateway.limits.addresses import address_digest, limit_key
from gateway.state.session import Session
from shared.frame.estimation import Profile
from shared.process.clock import SYSTEM, Clock
from shared.wire.messages import Judgement
from shared.wire.protocol import ProtocolError

log = logging.getLogger(__name__)

WINDOW_SECONDS = 3600.0
"""Time for which a refused session counts."""
FIRST_BLOCK_SECONDS = 60.0
"""Time for which a client at the limit is blocked; doubled for each refused session beyond it."""
MAX_DOUBLINGS = 6
"""After these a client would be blocked for longer than the window."""
MAX_REMEMBERED = 200_000
"""Refused sessions of all addresses together (some 40 MB). Beyond, the address whose latest one is
the oldest is forgotten."""


class RefusalLimit(NamedTuple):
    """A limit that a session counts for.

    Attributes:
        client: digest of an address, or of a person or kiosk with the name of its claim before it.
        sessions: refused sessions in the window at which it is blocked.
    """

    client: str
    sessions: int
    what: str


class Tally(NamedTuple):
    """The refused sessions of one client in the window, and the seconds since the latest."""

    number: int = 0
    age: float = 0.0

    def blocked_seconds(self, limit: int) -> float:
        """Seconds until the client may open a session; 0 or less if it may."""
        if self.number < limit:
            return 0.0
        doublings = min(self.number - limit, MAX_DOUBLINGS)
        return min(WINDOW_SECONDS, FIRST_BLOCK_SECONDS * 2.0**doublings) - self.age


def max_entries(limit: int) -> int:
    """Return how many sessions of one client to remember; more do not block it for longer."""
    return limit + MAX_DOUBLINGS + 1


class LocalRefusals:
    """The refused sessions that this gateway has seen, in bounded memory."""

    def __init__(self, *, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self._by_client: OrderedDict[str, OrderedDict[str, float]] = OrderedDict()
        self._remembered = 0

    def __len__(self) -> int:
        """Number of sessions remembered."""
        return self._remembered

    def charge(self, client: str, session: str, limit: int) -> int | None:
        """Count a session for a client that is blocked at ``limit`` of them.

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
        if len(entries) > max_entries(limit):
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

    async def charge(self, client: str, session: str, limit: int) -> int | None:
        """Count a session, as ``LocalRefusals.charge``; None also if the store is down."""

    async def refund(self, client: str, session: str) -> None:
        """Stop counting a session."""

    async def tally(self, client: str) -> Tally:
        """Count the sessions of a client; none if the store is down."""

    async def close(self) -> None:
        """Close the connections."""


class RefusedSessions:
    """Limits the refused sessions of each address (IPv6: each /64), person and kiosk.

    Args:
        limit: refused sessions within an hour at which an address is blocked; 0 for no limit.
        end: ends a session that is one too many.
        shared: what other gateways count; None without a session store.
        key: secret of the gateways that share a store, for the digests of addresses.
        per_person: the same for the person of a start token.
        per_kiosk: the same for its kiosk.
    """

    def __init__(
        self,
        limit: int,
        end: Callable[[Session], None],
        shared: SharedRefusals | None = None,
        *,
        key: bytes = b"",
        per_person: int = 0,
        per_kiosk: int = 0,
        clock: Clock = SYSTEM,
    ) -> None:
        self._limit = limit
        by_claim = (("sub", per_person, "person"), ("kiosk", per_kiosk, "kiosk"))
        self._by_claim = [rule for rule in by_claim if rule[1]]
        self._end = end
        self._key = key
        self._local = LocalRefusals(clock=clock)
        self._shared = shared
        self._tasks: set[asyncio.Task[None]] = set()

    def client_of(self, key: str) -> str:
        """Return the digest of an address as ``limit_key`` gives it, for ``Open.opener``."""
        return address_digest(self._key, key)

    async def admit(self, address: str) -> dict[str, int]:
        """Check that an address may open a session; return its refused sessions so far.

        Raises:
            ProtocolError: the address is blocked; it says for how long.
        """
        return await self._admit(self._of_address(self.client_of(limit_key(address))))

    async def admit_bound(self, start: str) -> dict[str, int]:
        """Do the same for the person and the kiosk in the claims (JSON) of a start token."""
        return await self._admit(self._of_start(start))

    async def _admit(self, limits: list[RefusalLimit]) -> dict[str, int]:
        numbers = {}
        for client, limit, what in limits:
            tallies = [self._local.tally(client)]
            if self._shared is not None:
                tallies.append(await self._shared.tally(client))
            seconds = math.ceil(max(tally.blocked_seconds(limit) for tally in tallies))
            if seconds > 0:
                raise ProtocolError(
                    f"too many refused sessions of this {what}, try again in {seconds} s",
                    code="session.too-many-refusals",
                    retry_after=seconds,
                )
            numbers[client] = max(tally.number for tally in tallies)
        return numbers

    def _of_address(self, client: str) -> list[RefusalLimit]:
        return [RefusalLimit(client, self._limit, "address")] if self._limit and client else []

    def _of_start(self, start: str) -> list[RefusalLimit]:
        if not self._by_claim:  # the usual case; every frame with low liveness comes here
            return []
        claims = json.loads(start)
        return [
            RefusalLimit(f"{claim}:{address_digest(self._key, claims[claim])}", limit, what)
            for claim, limit, what in self._by_claim
            if claim in claims
        ]

    def judged(self, session: Session, judgement: Judgement) -> None:
        """Count a session from its first frame with low liveness."""
        if judgement.low_liveness:
            self._charge(session)
        if judgement.low_liveness or judgement.profile is Profile.ACTIVE:
            session.mark_suspect()

    def ended(self, session: Session) -> None:
        """Count a session that was refused or left; stop counting one that was accepted.

        A client that leaves after a frame with low liveness, or after the first action was asked
        for, counts as refused: otherwise it could wait for a lucky frame, or for actions that its
        recording shows.
        """
        if session.outcome == "accepted":
            self._refund(session)
        elif session.outcome == "refused" or session.suspect:
            self._charge(session)

    def _opened_by(self, session: Session) -> list[RefusalLimit]:
        """Limits that a session counts for and that may end it: of its opener, person and kiosk."""
        opened = session.opened
        address = self._of_address(opened.opener) if opened.opener else self._here(session)
        return [*address, *self._of_start(opened.start)]

    def _here(self, session: Session) -> list[RefusalLimit]:
        """The limit of the address where a session's client is now."""
        if not self._limit or not session.address:
            return []
        return self._of_address(self.client_of(session.address))

    def _charge(self, session: Session) -> None:
        ending = self._opened_by(session)
        for limit in dict.fromkeys([*ending, *self._here(session)]):
            before = self._local.charge(limit.client, session.id, limit.sessions)
            if before is None:
                continue
            session.count_for(limit.client)
            may_end = limit in ending
            if may_end:
                self._end_if_too_many(session, limit, before)
            if self._shared is not None:
                self._start(self._charge_shared(self._shared, session, limit, may_end=may_end))

    async def _charge_shared(
        self, shared: SharedRefusals, session: Session, limit: RefusalLimit, *, may_end: bool
    ) -> None:
        before = await shared.charge(limit.client, session.id, limit.sessions)
        if before is not None and may_end:
            self._end_if_too_many(session, limit, before)

    def _end_if_too_many(self, session: Session, limit: RefusalLimit, before: int) -> None:
        """End one of many sessions that were opened before the limit was reached.

        A session that was opened after the client had been blocked is beyond the limit from its
        start, and may continue alone.
        """
        if before + 1 >= limit.sessions:
            fields = session.fields(address=session.address, refused=before + 1)
            log.warning("%s reached its limit of refused sessions", limit.what, extra=fields)
        if before >= max(limit.sessions, session.refused_before.get(limit.client, 0) + 1):
            self._end(session)

    def _refund(self, session: Session) -> None:
        """Stop counting an accepted session, also if another gateway has counted it."""
        limits = [*self._opened_by(session), *self._here(session)]
        for client in session.counted_for | {limit.client for limit in limits}:
            self._local.refund(client, session.id)
            if self._shared is not None:
                self._start(self._shared.refund(client, session.id))

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Wait for open requests."""
        await asyncio.gather(*self._tasks)
        if self._shared is not None:
            await self._shared.close()
