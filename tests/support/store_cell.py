"""The sessions of a gateway with a real session store, and clients that listen."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gateway.sessions import store_contact
from gateway.sessions.sessions import Sessions
from gateway.state.session import Session
from shared.config.service import Config
from shared.frame.estimation import Estimate, Profile
from shared.process.clock import SYSTEM, Clock
from shared.wire.messages import Judgement, Opened, Resumed, encode
from shared.wire.protocol import CloseCode, Codec, Command
from tests.support.quiet_links import QuietLink, QuietPool
from tests.support.redis_server import RedisServer
from tests.support.stamp import stamped_jpeg

STORE_TIMEOUT = 0.4
"""Timeout in seconds of cells that must notice outages."""
PATIENCE = 20.0
"""Timeout of all other cells, so that a busy machine is no outage; they have no grace period."""
FRAME = stamped_jpeg(1, 1)
"""Encoded once, because that takes longer than the rest; no worker reads it."""
RESULT = Codec.encode(Command.RESULT, {}, {"isOk": False, "jwt": None, "errors": [32]})


class Listener:
    """A connected client that records what it receives."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.closed: CloseCode | None = None

    def send(self, text: str) -> None:
        self.heard.append(text)

    def close(self, code: CloseCode, reason: str) -> None:
        self.closed = code

    def end_with(self, text: str, code: CloseCode, reason: str) -> None:
        self.send(text)
        self.close(code, reason)

    @property
    def commands(self) -> list[str]:
        return [json.loads(text)["command"] for text in self.heard]


class Cell:
    """A gateway's sessions with its connection to the store.

    Attributes:
        sessions: the sessions.
        asked: requests to its aggregator.
        token: resume token of the last session that it started.
    """

    def __init__(self, config: Config, clock: Clock = SYSTEM) -> None:
        link = QuietLink()
        link.on_resume = self._forgotten
        self.asked = link.asked
        key = bytes(32) if config.SESSION_STORE.connectionString else b""
        self.sessions = Sessions(config, QuietPool(), link, sealing_key=key, clock=clock)
        self.token = ""

    def _forgotten(self, identity: str, token_digest: bytes) -> None:
        """Answer that the aggregator knows no session."""
        answer = Resumed(identity, token_digest)
        asyncio.get_running_loop().call_soon(self.sessions.receive, answer)

    def begin(self) -> tuple[Session, Listener]:
        session, self.token = self.sessions.begin("192.0.2.1", mirrored=False, client="null")
        self.sessions.receive(Opened(session.id, Profile.PASSIVE))
        return session, attached(session)

    async def resume(self, before: Session, token: str) -> tuple[Session, Listener]:
        """Take over a session; retry like a client, because a busy machine is late."""
        deadline = time.monotonic() + 60
        while (session := await self.sessions.resume(before.id, token)) is None:
            assert time.monotonic() < deadline
        self.sessions.receive(Opened(session.id, Profile.PASSIVE))
        return session, attached(session)

    def judge(self, session: Session, *, final: bool = False, accepted: bool = False) -> None:
        """Send one frame and have it judged."""
        seq = have_estimated(self.sessions, session)
        self.sessions.receive(
            Judgement(
                session.id,
                seq,
                Profile.PASSIVE,
                Codec.encode(Command.STATUS, {"seq": seq}),
                final=final,
                accepted=accepted,
                result=RESULT if final else None,
            )
        )

    async def sweep_until(self, condition: Callable[[], bool]) -> None:
        """Sweep until a condition holds."""
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline
            self.sessions.sweep()
            await asyncio.sleep(0.01)


def have_estimated(sessions: Sessions, session: Session) -> int:
    """Send a frame and have it estimated; return its number, for its judgement."""
    sessions.frames.accept(session, FRAME)
    frame, _ = session.start()
    sessions.frames.estimated(session, frame, encode(Estimate(640, 480)))
    return frame.seq


def attached(session: Session) -> Listener:
    listener = Listener()
    session.attach(listener, max_resumes=100)
    session.deliver()
    return listener


@contextlib.asynccontextmanager
async def cell(
    redis: RedisServer,
    directory: Path,
    number: int,
    *,
    required: bool = True,
    notices_outages: bool = False,
    clock: Clock = SYSTEM,
    middlewares: dict[str, Any] | None = None,
    **limits: float,
) -> AsyncIterator[Cell]:
    """The gateway of a cell; the contents of its directory outlive it."""
    settings: dict[str, Any] = {
        "SESSION_STORE": {
            "connectionString": redis.url,
            "timeout": STORE_TIMEOUT if notices_outages else PATIENCE,
            "required": required,
        },
        "TRANSPORT": {"runtimeDirectory": str(directory / str(number)), "firstCell": number},
        "LIMITS": limits,
        "MIDDLEWARES": middlewares or {},
    }
    with pytest.MonkeyPatch.context() as patch:
        if not notices_outages:
            patch.setattr(store_contact, "GRACE_TIMEOUTS", 0)
        made = Cell(Config.model_validate(settings), clock)
    try:
        yield made
    finally:
        await made.sessions.close()


@contextlib.asynccontextmanager
async def cells(
    redis: RedisServer,
    directory: Path,
    *,
    required: bool = True,
    notices_outages: bool = False,
    **limits: float,
) -> AsyncIterator[tuple[Cell, Cell]]:
    """The gateways of two cells, with an empty store."""
    with contextlib.closing(redis.client()) as client:
        client.flushall()
    made = partial(cell, redis, directory, required=required, notices_outages=notices_outages)
    async with made(0, **limits) as first, made(1, **limits) as second:
        yield first, second
