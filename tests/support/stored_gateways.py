"""Gateways with one session store and one session."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest

from gateway.limits.buckets import TokenBucket
from gateway.sessions import store_contact
from gateway.sessions.sealed_store import SealedStore
from gateway.sessions.sealing import Stored
from gateway.sessions.store_contact import GRACE_TIMEOUTS
from gateway.state.identity import digest
from gateway.state.session import Session
from shared.config.service import Config
from shared.wire.messages import Open
from shared.wire.records import Judged
from tests.support.redis_server import RedisServer
from tests.support.waiting import until

ID = "00" * 16
TOKEN = "t" * 32
TIMEOUT = 0.4
"""Seconds, in tests of outages, which wait for it; some wait for the grace period, too."""
PATIENCE = 20.0
"""Seconds, in all other tests, so that a busy machine is no outage; they have no grace period."""


def session(frames: int, term: int = 1, result: str | None = None) -> Session:
    opened = Open("", ID, 1.0, 7, digest(TOKEN), term=term)
    made = Session(ID, opened, "198.51.100.1", TokenBucket(1, 1), 0.0)
    made.log = [Judged(seq, float(seq), b"e") for seq in range(1, frames + 1)]
    made.seq = frames
    if result is not None:
        made.decide(result)
    return made


class Gateway:
    """One gateway's connection to the store, with at most one session."""

    def __init__(self, config: Config) -> None:
        self.session: Session | None = None
        self.settled: list[str] = []
        own = cast(Any, self)
        self.store = SealedStore(config, bytes(32), own, stored=self.stored, lost=self.lost)

    def get(self, _identity: str) -> Session | None:
        return self.session

    def all(self) -> list[Session]:
        return [] if self.session is None else [self.session]

    def stored(self, session: Session) -> None:
        self.settled.append("stored")

    def lost(self, session: Session) -> None:
        self.settled.append("lost")

    async def write(self, made: Session) -> str:
        """Have a session written; return the result."""
        self.session = made
        self.settled.clear()
        self.store.mark_changed(made)
        await until(lambda: bool(self.settled))
        return self.settled[-1]


@contextlib.asynccontextmanager
async def gateways(
    redis: RedisServer,
    directory: Path,
    names: str = "ab",
    *,
    required: bool = True,
    seconds: float = PATIENCE,
    grace_timeouts: float = 0,
) -> AsyncIterator[list[Gateway]]:
    """Gateways of one installation; those with the same name are of one cell.

    ``seconds`` is the timeout of their store; its grace period is ``grace_timeouts`` times that.
    """
    with contextlib.closing(redis.client()) as client:
        client.flushall()
    made = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store_contact, "GRACE_TIMEOUTS", grace_timeouts)
        for name in names:
            settings = {
                "SESSION_STORE": {
                    "connectionString": redis.url,
                    "timeout": seconds,
                    "required": required,
                },
                "LIMITS": {"reconnects": 1000},
                "TRANSPORT": {"runtimeDirectory": str(directory / name)},
            }
            made.append(Gateway(Config.model_validate(settings)))
    try:
        yield made
    finally:
        for gateway in made:
            await gateway.store.close()


noticing_outages = functools.partial(gateways, seconds=TIMEOUT, grace_timeouts=GRACE_TIMEOUTS)
"""Gateways with a short timeout and the grace period of the product."""


async def taken(gateway: Gateway) -> Stored:
    """Take over the session; retry like a client, because a busy machine exceeds timeouts."""
    deadline = time.monotonic() + 60
    while (stored := await gateway.store.take(ID, digest(TOKEN))) is None:
        assert time.monotonic() < deadline
    return stored
