"""With a session store, the gateway that released a verdict is the one that reports its end.

The test uses the gateway's own parts, a real aggregator, a real Redis and the real sinks; only
workers and clients are simulated. Gateway and aggregator die, and another gateway takes over
sessions, at any step.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis

from aggregator.service import Aggregator
from gateway import metrics
from gateway.ledger import Ledger
from gateway.sessions.handover import StoreHandover
from gateway.sessions.judgement import JudgementLink
from gateway.sessions.registry import SessionRegistry
from gateway.sessions.sealed_store import SealedStore
from gateway.sessions.sessions import Sessions
from gateway.sessions.unsettled import Unsettled
from gateway.state.pending_frame import PendingFrame
from gateway.state.session import Session
from gateway.state.transitions import State
from shared import video_store
from shared.config.generation import with_transport_keys
from shared.config.service import Config
from shared.frame.intake import Header
from shared.session_log import read_session
from shared.wire.messages import encode
from shared.wire.protocol import CloseCode
from shared.wire.records import END
from tests.support.judge import live, plugin_config, shot
from tests.support.quiet_links import QuietPool
from tests.support.receiver import Receiver
from tests.support.redis_server import RedisServer, running_redis

PEOPLE = 3
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ("frame", "last", "close", "aggregator dies", "gateway dies", "taken", "wait")
        ),
        st.integers(0, PEOPLE - 1),
    ),
    max_size=20,
)

HEADER = Header("jpeg", 640, 480)


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    started = Receiver()
    yield started
    started.close()


class Client:
    """A client that returns to each new gateway of the cell.

    Attributes:
        results: every RESULT it received.
        replaced: whether it learned that its session continued elsewhere.
        taken: another gateway has taken over the session.
        verdict_elsewhere: with the verdict that it found there.
    """

    def __init__(self) -> None:
        self.identity = ""
        self.token = ""
        self.results: list[Any] = []
        self.replaced = False
        self.taken = False
        self.verdict_elsewhere: str | None = None

    def send(self, text: str) -> None:
        if json.loads(text)["command"] == "RESULT":
            self.results.append(json.loads(text)["body"])

    def close(self, code: CloseCode, reason: str) -> None:
        self.replaced = self.replaced or code is CloseCode.REPLACED

    def end_with(self, text: str, code: CloseCode, reason: str) -> None:
        self.send(text)
        self.close(code, reason)


class Cell:
    """The current gateway and aggregator, and another gateway's connection to the store."""

    def __init__(self, config: Config, other: Config) -> None:
        self._config = config
        none = SessionRegistry(other, Unsettled(other.MIDDLEWARES.WS, 0))
        self.other = SealedStore(other, bytes(32), none, stored=lambda _: None, lost=lambda _: None)
        self._begin_gateway()
        self._begin_aggregator()

    def _begin_gateway(self) -> None:
        self.link = JudgementLink(self._config, Ledger(metrics.STEPS))
        self.sessions = Sessions(self._config, QuietPool(), self.link, sealing_key=bytes(32))

    def _begin_aggregator(self) -> None:
        self.aggregator = Aggregator(self._config)
        self._running = asyncio.create_task(self.aggregator.run())

    async def aggregator_dies(self) -> None:
        """Lose the aggregator's memory; the gateway sends it again."""
        self.aggregator._effects.put = lambda event: None  # type: ignore[method-assign]
        for writer in self.aggregator._effects._writers:
            with writer._wake:
                writer._queue.clear()
        self.aggregator.stop()
        await self._running
        self._begin_aggregator()
        entries = self.aggregator._sessions._entries
        await self.until(lambda: all(s.id in entries for s in self.sessions.all()))

    async def gateway_dies(self) -> None:
        """Kill the gateway; its successor gets the sessions from the aggregator."""
        handover = self.sessions.handover
        assert isinstance(handover, StoreHandover)
        handover._store._changed.clear()
        await handover.close()
        self.link.close()
        self._begin_gateway()

    async def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, "it did not come true"
            self.link.beat()
            self.sessions.sweep()
            await asyncio.sleep(0.005)

    async def close(self) -> None:
        await self.other.close()
        await self.sessions.close()
        self.aggregator.stop()
        await self._running
        self.link.close()


async def judge(cell: Cell, session: Session, *, last: bool) -> None:
    """Send a frame's estimate and ask for its verdict; the last frame is accepted."""
    session.seq += 1
    data = b"\xff\xd8%d" % session.seq
    frame = PendingFrame(session.seq, data, HEADER, time.monotonic(), time.monotonic() + 60)
    frame.shot = shot(session.seq, data) if last else None
    session.offer(frame)
    await cell.until(lambda: session.dispatchable or session.state is State.ENDED)
    if session.dispatchable:  # otherwise another gateway has the session
        session.start()
        estimate = live() if last else live(errors=(3,))
        cell.sessions.frames.estimated(session, frame, encode(estimate))


async def play(cell: Cell, steps: list[tuple[str, int]]) -> list[Client]:
    clients = [Client() for _ in range(PEOPLE)]
    for client in clients:
        session, client.token = cell.sessions.begin("a", mirrored=False, client="{}")
        client.identity = session.id
        await cell.until(lambda session=session: session.known)
        session.attach(client, max_resumes=1000)
    for kind, number in steps:
        await step(cell, clients[number], kind)
        await welcome(cell, clients)
    for client in clients:
        session = cell.sessions.get(client.identity)
        if session is not None:
            cell.sessions.end(session, "test")
    for client in clients:
        await cell.until(lambda client=client: is_over(cell, client))
    return clients


async def step(cell: Cell, client: Client, kind: str) -> None:
    session = cell.sessions.get(client.identity)
    if kind == "aggregator dies":
        await cell.aggregator_dies()
    elif kind == "gateway dies":
        await cell.gateway_dies()
    elif kind == "wait":
        await asyncio.sleep(0.02)
    elif session is None:
        return
    elif kind == "taken":
        stored = await cell.other.take(session.id, session.opened.token_digest)
        client.taken = client.taken or stored is not None
        client.verdict_elsewhere = stored.result if stored else None
    elif kind == "close":
        cell.sessions.end(session, "test")
    elif session.result is None and not session.closing and session.active is None:
        await judge(cell, session, last=kind == "last")


async def welcome(cell: Cell, clients: list[Client]) -> None:
    """Let every client whose session is not lost return to the current gateway."""
    for client in clients:

        def here(client: Client = client) -> bool:
            return cell.sessions.get(client.identity) is not None or client.replaced

        if not client.taken:
            await cell.until(here)
        session = cell.sessions.get(client.identity)
        if session is not None and session.outlet is None:
            session.attach(client, max_resumes=1000)
            session.deliver()


def is_over(cell: Cell, client: Client) -> bool:
    session = cell.sessions.get(client.identity)
    return session is None or (session.released and session.settled == END)


def check(cell: Cell, clients: list[Client], redis: Redis, posted: list[str], logs: Path) -> None:
    for client in clients:
        released = bool(client.results) or client.verdict_elsewhere is not None
        assert posted.count(client.identity) == int(released), (client.taken, client.replaced)
        verdict = None
        if (logs / client.identity).exists():
            verdict = read_session(logs / client.identity).verdict
        assert (verdict is not None) == released
        if not released:
            assert video_store.read_meta(redis, client.identity) is None
            assert client.taken
        for result in client.results:
            assert result == client.results[0]
            assert verdict is not None
            assert result["isOk"] == verdict.accepted


@settings(max_examples=15, deadline=None)
@given(steps=STEPS)
def test_an_end_is_reported_where_its_verdict_was_released(
    steps: list[tuple[str, int]],
    redis: RedisServer,
    receiver: Receiver,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Each plugin reports it once, and never for a verdict that lost against a take-over."""
    folder = tmp_path_factory.mktemp("effects")

    def config(cell: str) -> Config:
        return plugin_config(
            {
                "FileLogger": {"path": str(folder / "logs")},
                "VideoRedis": {"connectionString": redis.url, "spoolPath": str(folder / "spool")},
                "Callbacks": {
                    "url": f"http://127.0.0.1:{receiver.port}/",
                    "queuePath": str(folder / "queue"),
                    "withoutFrames": True,
                },
            },
            TRANSPORT={"aggregator": f"ipc://{folder}/a", "runtimeDirectory": str(folder / cell)},
            SESSION_STORE={"connectionString": redis.url, "required": True},
        )

    async def run() -> None:
        receiver.got.clear()
        cell = Cell(with_transport_keys(config("own")), config("other"))
        try:
            clients = await play(cell, steps)
            expected = sum(bool(c.results) or c.verdict_elsewhere is not None for c in clients)
            await cell.until(lambda: len(receiver.got) >= expected)
        finally:
            await cell.close()
        posted = [headers["Idempotency-Key"] for headers, _ in receiver.got]
        with redis.client() as client:
            check(cell, clients, client, posted, folder / "logs")
            client.flushall()

    asyncio.run(run())
