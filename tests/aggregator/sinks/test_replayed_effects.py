"""Random sessions with an aggregator killed at random: every side effect happens exactly once.

The gateway's own parts talk to a real aggregator; only workers and clients are simulated.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis

from aggregator.service import Aggregator
from gateway import metrics
from gateway.ledger import Ledger
from gateway.sessions.judgement import JudgementLink
from gateway.sessions.sessions import Sessions
from gateway.state.pending_frame import PendingFrame
from gateway.state.session import Session
from shared import video_store
from shared.config.generation import with_transport_keys
from shared.config.service import Config
from shared.frame.intake import Header
from shared.session_log import read_session
from shared.wire.messages import encode
from shared.wire.records import END
from tests.support.judge import live, plugin_config
from tests.support.quiet_links import QuietPool
from tests.support.receiver import Receiver
from tests.support.redis_server import RedisServer, running_redis

HEADER = Header("jpeg", 640, 480)

SESSIONS = 3
FRAME = ("frame", "unreadable", "last", "close", "die")
STEPS = st.lists(st.tuples(st.sampled_from(FRAME), st.integers(0, SESSIONS - 1)), max_size=25)


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    started = Receiver()
    yield started
    started.close()


@dataclass
class Cell:
    """A gateway's sessions and the current aggregator."""

    config: Config
    expected: dict[str, list[tuple[int, bytes]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.link = JudgementLink(self.config, Ledger(metrics.STEPS))
        self.sessions = Sessions(self.config, QuietPool(), self.link)
        self._begin_aggregator()

    def _begin_aggregator(self) -> None:
        self.aggregator = Aggregator(self.config)
        self._running = asyncio.create_task(self.aggregator.run())

    async def die(self) -> None:
        """Kill the aggregator with its memory, and start another.

        A dead one sends its writers nothing, so this one must not either while it ends.
        """
        self.aggregator._effects.put = lambda event: None  # type: ignore[method-assign]
        for writer in self.aggregator._effects._writers:
            with writer._wake:
                writer._queue.clear()
        self.aggregator.stop()
        await self._running
        self._begin_aggregator()

    async def until(self, condition: Any) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, "it did not come true"
            self.link.beat()
            self.sessions.replay.repeat_overdue()
            await asyncio.sleep(0.005)

    async def close(self) -> None:
        self.aggregator.stop()
        await self._running
        self.link.close()


async def judge(cell: Cell, session: Session, kind: str) -> None:
    """Send a frame's estimate and get its verdict; the last frame is accepted."""
    session.seq += 1
    data = b"" if kind == "unreadable" else b"\xff\xd8%d" % session.seq
    errors = {"unreadable": (1,), "frame": (3,), "last": ()}[kind]
    frame = PendingFrame(session.seq, data, HEADER, time.monotonic(), time.monotonic() + 60)
    session.offer(frame)
    await cell.until(lambda: session.dispatchable)
    session.start()
    cell.expected[session.id].append((session.seq, data))
    cell.sessions.frames.estimated(session, frame, encode(live(errors=errors)))


async def play(cell: Cell, steps: list[tuple[str, int]]) -> None:
    people = [cell.sessions.begin("a", mirrored=False, client="{}")[0] for _ in range(SESSIONS)]
    cell.expected.update({session.id: [] for session in people})
    for kind, number in steps:
        session = people[number]
        if kind == "die":
            await cell.die()
        elif kind == "close":
            cell.sessions.end(session, "test")
        elif session.result is None and not session.closing:
            await cell.until(lambda session=session: session.active is None)
            if session.result is None:
                await judge(cell, session, kind)
    for session in people:
        await cell.until(lambda session=session: session.active is None)
        cell.sessions.end(session, "test")
    await cell.until(lambda: all(session.settled == END for session in people))


def check(cell: Cell, client: Redis, receiver: Receiver, logs: Path) -> None:
    """Check that each plugin has each session's frames in order, and its end, exactly once."""
    posted = [headers["Idempotency-Key"] for headers, _ in receiver.got]
    for session, frames in cell.expected.items():
        log = read_session(logs / session)
        assert [frame.seq for frame in log.frames] == [seq for seq, _ in frames]
        for frame, (_, data) in zip(log.frames, frames, strict=True):
            assert (log.folder / frame.file).read_bytes() == data if frame.file else data == b""
        assert log.verdict is not None
        readable = [(seq, data) for seq, data in frames if data]
        assert log.verdict.frames == len(readable)
        stored = [(frame.seq, frame.frame) for frame in video_store.read_frames(client, session)]
        assert stored == readable
        meta = video_store.read_meta(client, session)
        assert (meta is None) == (not readable)
        assert meta is None or (meta.frames_total, meta.frames_dropped) == (len(readable), 0)
        assert posted.count(session) == bool(readable)


@settings(max_examples=25, deadline=None)
@given(steps=STEPS)
def test_every_effect_happens_once(
    steps: list[tuple[str, int]],
    redis: RedisServer,
    receiver: Receiver,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Whatever dies and when, files, video frames, jobs and callbacks are complete and unique."""
    folder = tmp_path_factory.mktemp("effects")
    config = plugin_config(
        {
            "FileLogger": {"path": str(folder / "logs")},
            "VideoRedis": {"connectionString": redis.url, "spoolPath": str(folder / "spool")},
            "Callbacks": {
                "url": f"http://127.0.0.1:{receiver.port}/",
                "queuePath": str(folder / "queue"),
            },
            "Result": None,
        },
        TRANSPORT={"aggregator": f"ipc://{folder}/a"},
    )

    async def run() -> None:
        receiver.got.clear()
        cell = Cell(with_transport_keys(config))
        try:
            await play(cell, steps)
            expected = sum(any(data for _, data in frames) for frames in cell.expected.values())
            await cell.until(lambda: len(receiver.got) >= expected)
        finally:
            await cell.close()
        with redis.client() as client:
            check(cell, client, receiver, folder / "logs")
            client.flushall()

    asyncio.run(run())
