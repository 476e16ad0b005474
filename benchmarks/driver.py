"""Drives sessions of a service: as fast as they are answered, or on a schedule."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from lunapass.client import Answer, Client
from shared.codes import Code
from shared.wire.protocol import Command

WARM_SECONDS = 0.5
"""At the beginning, of which nothing is noted."""


@dataclass
class Seen:
    """What a driver saw.

    Attributes:
        seconds: length of the run.
        milliseconds: latency of each judged frame, from when the client took it up.
        lost: frames that were not judged.
    """

    seconds: float = 0.0
    milliseconds: list[float] = field(default_factory=list)
    lost: int = 0

    @property
    def fps(self) -> float:
        """Judged frames in a second."""
        return len(self.milliseconds) / self.seconds

    def percentile(self, share: float) -> float:
        """Milliseconds within which a share of the frames was judged; infinite when too few were.

        A lost frame counts as later than every other, so that losing frames cannot look like speed.
        """
        every = [*self.milliseconds, *[np.inf] * self.lost]
        return float(np.quantile(every, share, method="inverted_cdf")) if every else np.inf


class DrivenLine(Protocol):
    """One client that has one frame judged at a time."""

    async def judge(self, frame: bytes) -> bool:
        """Have a frame judged; tell whether it was."""


class DrivenSession:
    """A line to this service."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._busy = asyncio.Lock()

    async def judge(self, frame: bytes) -> bool:
        """Send a frame and await its status."""
        async with self._busy:
            await self._client.send_frame(frame)
            raw = await self._client.socket.recv()
        answer = Answer.parse(raw)
        return (
            answer.command is Command.STATUS and Code.ESTIMATION_FAILED not in answer.body["errors"]
        )


Connect = Callable[[AsyncExitStack], Awaitable[DrivenLine]]
Shots = Sequence[Callable[[], bytes]]
"""What takes frames: the service refuses a frame that it has seen before."""


def to_service(url: str) -> Connect:
    """Make sessions of a service."""

    async def connect(stack: AsyncExitStack) -> DrivenLine:
        return DrivenSession(await stack.enter_async_context(Client(url)))

    return connect


async def saturate(connect: Connect, lines: int, shots: Shots, seconds: float) -> Seen:
    """Keep ``lines`` frames under way all the time."""
    seen = Seen()
    async with AsyncExitStack() as stack:
        clients = [await connect(stack) for _ in range(lines)]
        warm = time.perf_counter() + WARM_SECONDS
        end = warm + seconds

        async def go_on(number: int, line: DrivenLine) -> None:
            while (now := time.perf_counter()) < end:
                judged = await line.judge(shots[number % len(shots)]())
                number += 1
                if warm <= now and time.perf_counter() < end:
                    _note(seen, judged, now)

        await asyncio.gather(*(go_on(n, line) for n, line in enumerate(clients)))
    seen.seconds = seconds
    return seen


def evenly(pace: float, seconds: float) -> list[float]:
    """When to send ``pace`` frames a second, each at the same distance, in seconds from now."""
    return [number / pace for number in range(int(pace * seconds))]


def at_random(pace: float, seconds: float, seed: int) -> list[float]:
    """When people who know nothing of each other would send (Poisson), in seconds from now."""
    gaps = np.random.default_rng(seed).exponential(1 / pace, int(2 * pace * seconds) + 20)
    dues = np.cumsum(gaps)
    return [float(due) for due in dues[dues < seconds]]


async def on_schedule(
    connect: Connect, lines: int, shots: Shots, dues: list[float], seconds: float
) -> Seen:
    """Send frames when they are due, on lines in turn, whatever comes back."""
    seen = Seen(seconds=seconds)
    async with AsyncExitStack() as stack:
        clients = [await connect(stack) for _ in range(lines)]
        began = time.perf_counter()

        async def one(number: int, due: float) -> None:
            judged = await clients[number % lines].judge(shots[number % len(shots)]())
            if dues[number] >= WARM_SECONDS:
                _note(seen, judged, due)

        under_way: list[asyncio.Task[None]] = []
        for number, due in enumerate(dues):
            await asyncio.sleep(max(0.0, began + due - time.perf_counter()))
            # From when the client can send: its timer, late by up to a millisecond, is no server's.
            under_way.append(asyncio.create_task(one(number, time.perf_counter())))
        await asyncio.gather(*under_way)
    return seen


def _note(seen: Seen, judged: bool, due: float) -> None:
    if judged:
        seen.milliseconds.append(1000 * (time.perf_counter() - due))
    else:
        seen.lost += 1
