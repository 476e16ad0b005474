"""A persistent client: sends frames, breaks its connection, resumes and records."""

from __future__ import annotations

import asyncio
import contextlib
import random
from dataclasses import dataclass, field

from websockets.exceptions import InvalidHandshake, WebSocketException

from lunapass_client import Answer, Client
from shared.wire.protocol import Command
from tests.chaos.history import History, Kind
from tests.chaos.pictures import picture

RETRY_SECONDS = 0.2
CONNECT_SECONDS = 12.0
GIVE_UP_SECONDS = 60.0
PATIENCE_SECONDS = 20.0
"""Longer than any answer may take; then the connection is cut and the answer counts as missing."""
ABSENT = (OSError, EOFError, TimeoutError, WebSocketException, InvalidHandshake)


@dataclass(frozen=True)
class Script:
    """How one person behaves.

    Attributes:
        live_from: index of the first live frame; None for a person who is never live.
        pause: seconds between two frames.
        patient: waits for each answer before the next frame.
        cut: probability, for each frame, that the client's connection breaks.
        nap: probability that it stops reading for a while.
        leaves: index of the frame after which it leaves without coming back; None to stay.
    """

    live_from: int | None
    pause: float
    patient: bool
    cut: float
    nap: float
    leaves: int | None

    @classmethod
    def draw(cls, chance: random.Random) -> Script:
        """Draw a person."""
        return cls(
            live_from=chance.randint(3, 30) if chance.random() < 0.85 else None,
            pause=chance.uniform(0.03, 0.2),
            patient=chance.random() < 0.6,
            cut=chance.choice((0.0, 0.0, 0.02, 0.05)),
            nap=chance.choice((0.0, 0.0, 0.02)),
            leaves=chance.randint(1, 20) if chance.random() < 0.08 else None,
        )

    def number(self, index: int) -> int:
        """Return the number stamped into the frame of an index; live from 20 on."""
        if self.live_from is not None and index >= self.live_from:
            return 20 + index % 200
        return index % 20


@dataclass
class Player:
    """Plays one attempt to its verdict.

    Args:
        person: number of the attempt.
        url: address of the service.
        history: where to record.
        chance: random source of the client's own faults.
    """

    person: int
    url: str
    history: History
    chance: random.Random
    script: Script = field(init=False)
    session: str | None = None
    token: str | None = None
    connection: int = 0
    index: int = 0
    over: bool = False
    seq: int = 0
    answered: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.script = Script.draw(self.chance)

    async def play(self) -> None:
        """Connect and play, and reconnect until the attempt is over."""
        away_since = asyncio.get_running_loop().time()
        while not self.over:
            client = await self._connect()
            now = asyncio.get_running_loop().time()
            if client is None:
                if now - away_since > GIVE_UP_SECONDS:
                    return
                await asyncio.sleep(RETRY_SECONDS)
                continue
            try:
                await self._converse(client)
            finally:
                self._record(Kind.CLOSED, body=client.close_code)
            away_since = asyncio.get_running_loop().time()

    def _record(self, kind: Kind, seq: int = 0, body: object = None) -> None:
        self.history.add(self.person, kind, connection=self.connection, seq=seq, body=body)

    async def _connect(self) -> Client | None:
        client = Client(self.url, session_id=self.session, resume_token=self.token)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await client.__aenter__()
        except ABSENT:
            return None
        assert client.connected is not None
        if client.connected.command is not Command.CONNECTED:
            code = client.connected.body["code"]
            if code == "session.unknown":
                self.over = True
                self._record(Kind.LOST)
            await client.socket.close()
            return None
        self.session, self.token = client.session_id, client.resume_token
        self.connection += 1
        self.seq = client.connected.headers["seq"]
        self._record(Kind.CONNECTED, self.seq)
        return client

    async def _converse(self, client: Client) -> None:
        """Send and receive concurrently until the connection ends."""
        reader = asyncio.create_task(self._read(client))
        writer = asyncio.create_task(self._write(client))
        await asyncio.wait((reader, writer), return_when=asyncio.FIRST_COMPLETED)
        if self.over and not reader.done():
            reader.cancel()
        elif not reader.done():
            client.abort()
        writer.cancel()
        with contextlib.suppress(asyncio.CancelledError, *ABSENT):
            await reader
        with contextlib.suppress(asyncio.CancelledError, *ABSENT):
            await writer
        client.abort()

    async def _read(self, client: Client) -> None:
        async for answer in client.answers():
            self._take(answer)
            self.answered.set()
            if self.chance.random() < self.script.nap:
                await asyncio.sleep(self.chance.uniform(0.5, 2.0))

    def _take(self, answer: Answer) -> None:
        seq = answer.seq or 0
        match answer.command:
            case Command.STATUS:
                self._record(Kind.STATUS, seq, answer.body)
            case Command.DROPPED:
                self._record(Kind.DROPPED, seq, answer.headers["reason"])
            case Command.RESULT:
                self.over = True
                self._record(Kind.RESULT, body=answer.body)
            case Command.ERROR:
                self._record(Kind.ERROR, body=answer.body["code"])

    async def _write(self, client: Client) -> None:
        """Send frames; end when the client cuts its connection or leaves."""
        while True:
            number = self.script.number(self.index)
            self.index += 1
            self.seq += 1
            self.answered.clear()
            data = picture(self.person, number, self.seq)
            self._record(Kind.SENT, self.seq, number)
            await client.send_frame(data)
            if self.chance.random() < self.script.cut:
                return
            if self.script.leaves is not None and self.index > self.script.leaves:
                self.over = True
                self._record(Kind.LEFT)
                return
            if self.script.patient:
                await asyncio.wait_for(self.answered.wait(), PATIENCE_SECONDS)
            await asyncio.sleep(self.script.pause)
