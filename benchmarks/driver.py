"""Drives sessions of a service: as fast as they are answered, or on a schedule."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from lunapass_client import Answer, Client
from shared.codes import Code
from shared.wire.protocol import Command

WARM_SECONDS = 0.5
"""Time at the start in which nothing is recorded."""


@dataclass
class Seen:
    """Measurements of a driver.

    Attributes:
        seconds: length of the run.
        milliseconds: latency of each judged frame, from when the client could send it.
        lost: frames that were not judged.
    """

    seconds: float = 0.0
    milliseconds: list[float] = field(default_factory=list)
    lost: int = 0

    @property
    def fps(self) -> float:
        """Judged frames per second."""
        return len(self.milliseconds) / self.seconds

    def percentile(self, share: float) -> float:
        """Milliseconds within which a share of the frames was judged; infinite if too few were.

        A lost frame counts as later than all others, so that losing frames cannot look like speed.
        """
        every = [*self.milliseconds, *[np.inf] * self.lost]
        return float(np.quantile(every, share, method="inverted_cdf")) if every else np.inf


class DrivenLine(Protocol):
    """One client that sends one frame at a time."""

    async def judge(self, frame: bytes) -> bool:
        """Send a frame and return whether it was judged."""


class DrivenSession:
    """A session of this service."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._busy = asyncio.Lock()

    async def judge(self, frame: bytes) -> bool:
        """Send a frame and wait for its status."""
        async with self._busy:
            await self._client.send_frame(frame)
            raw = await self._client.socket.recv()
        answer = Answer.parse(raw)
        return (
            answer.command is Command.STATUS and Code.ESTIMATION_FAILED not in answer.body["errors"]
        )


Connect = Callable[[AsyncExitStack], Awaitable[DrivenLine]]
Shots = Sequence[Callable[[], bytes]]
"""Cameras; each call takes a new frame, because the service refuses repeated frames."""


def to_service(url: str) -> Connect:
    """Return a function that opens sessions of a service."""

    async def connect(stack: AsyncExitStack) -> DrivenLine:
        return DrivenSession(await stack.enter_async_context(Client(url)))

    return connect


async def saturate(connect: Connect, lines: int, shots: Shots, seconds: float) -> Seen:
    """Keep ``lines`` frames in flight all the time."""
    seen = Seen()
    async with AsyncExitStack() as stack:
        clients = [await connect(stack) for _ in range(lines)]
        warm = time.perf_counter() + WARM_SECONDS
        end = warm + seconds

        async def repeat(number: int, line: DrivenLine) -> None:
            while (now := time.perf_counter()) < end:
                judged = await line.judge(shots[number % len(shots)]())
                number += 1
                if warm <= now and time.perf_counter() < end:
                    _record(seen, judged, now)

        await asyncio.gather(*(repeat(n, line) for n, line in enumerate(clients)))
    seen.seconds = seconds
    return seen


def evenly(pace: float, seconds: float) -> list[float]:
    """Send times for ``pace`` evenly spaced frames per second, in seconds from now."""
    return [number / pace for number in range(int(pace * seconds))]


def at_random(pace: float, seconds: float, seed: int) -> list[float]:
    """Send times of independent people (Poisson) for ``pace`` frames per second, from now."""
    gaps = np.random.default_rng(seed).exponential(1 / pace, int(2 * pace * seconds) + 20)
    dues = np.cumsum(gaps)
    return [float(due) for due in dues[dues < seconds]]


async def on_schedule(
    connect: Connect, lines: int, shots: Shots, dues: list[float], seconds: float
) -> Seen:
    """Send frames when they are due, on the lines in turn, whatever the answers."""
    seen = Seen(seconds=seconds)
    async with AsyncExitStack() as stack:
        clients = [await connect(stack) for _ in range(lines)]
        start = time.perf_counter()

        async def one(number: int, due: float) -> None:
            judged = await clients[number % lines].judge(shots[number % len(shots)]())
            if dues[number] >= WARM_SECONDS:
                _record(seen, judged, due)

        in_flight: list[asyncio.Task[None]] = []
        for number, due in enumerate(dues):
            await asyncio.sleep(max(0.0, start + due - time.perf_counter()))
            # Measured from now: the client's timer is up to 1 ms late, which is not the server's.
            in_flight.append(asyncio.create_task(one(number, time.perf_counter())))
        await asyncio.gather(*in_flight)
    return seen


def _record(seen: Seen, judged: bool, due: float) -> None:
    if judged:
        seen.milliseconds.append(1000 * (time.perf_counter() - due))
    else:
        seen.lost += 1
