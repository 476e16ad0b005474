"""Runs a load test: starts the client processes, adds up their tallies, watches the service."""

import asyncio
import contextlib
import json
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loadtest.plan import Plan
from loadtest.tally import CrowdTally, percentile
from loadtest.watch import Watch
from shared.errors import ResourceError

LINE_BYTES = 1 << 20
START_SECONDS = 0.2
"""Time for the start signal to reach all client processes."""
CLIENT_FAILED = "a client process of the load run failed; its message is above"


@dataclass
class LoadRun:
    """A finished or running load run.

    Attributes:
        seconds: packed tallies of the client processes, by second; unpacked they would fill the
            memory within a day.
        started: monotonic start time.
        client_cpu: CPU seconds by client process.
    """

    plan: Plan
    watch: Watch
    started: float = 0.0
    seconds: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    whole: CrowdTally = field(default_factory=CrowdTally)
    client_cpu: dict[int, float] = field(default_factory=dict)
    stopped: bool = False

    @property
    def length(self) -> float:
        """Seconds played so far, without the time after the end."""
        return min(float(max(self.seconds, default=0)), self.plan.profile.seconds)

    def take(self, process: int, line: dict[str, Any]) -> None:
        """Add a line of a client process."""
        self.client_cpu[process] = line["cpu"]
        self.seconds.setdefault(line["second"], []).append(line)
        self.whole.add({**line, "kiosks": 0})

    def between(self, first: float, last: float) -> CrowdTally:
        """Add up the tallies after ``first`` up to ``last``; ``kiosks`` is the last second's."""
        whole = CrowdTally()
        for second in range(math.floor(first) + 1, math.floor(last) + 1):
            whole.kiosks = 0
            for line in self.seconds.get(second, ()):
                whole.add(line)
        return whole


def summary(tally: CrowdTally, seconds: float) -> dict[str, Any]:
    """Summarise a tally in numbers for people and programs."""
    counts = tally.counts
    milliseconds = {
        name: None if found is None else round(1000 * found, 1) if found < 1e9 else "late"
        for name, found in (
            (f"p{100 * share:g}", tally.percentile(share)) for share in (0.5, 0.9, 0.95, 0.99)
        )
    }
    return {
        "frames": {
            "sent": counts["sent"],
            "judged": counts["judged"],
            "dropped": dict(tally.dropped),
            "judgedPerSecond": round(counts["judged"] / seconds, 2) if seconds else 0.0,
        },
        "latencyMs": milliseconds,
        "sessions": {
            **{name: counts[name] for name in ("begun", "accepted", "refused", "left", "resumed")},
            "failed": dict(tally.failed),
        },
        "connectMs": {"p95": round(1000 * percentile(tally.connecting, 0.95), 1)},
        "clientLateMs": {"p99": round(1000 * percentile(tally.lateness, 0.99), 1)},
        "codes": {str(code): count for code, count in sorted(tally.codes.items())},
    }


def is_late_client(tally: CrowdTally, interval: float) -> bool:
    """Return whether the client machine was too slow to measure the service."""
    return percentile(tally.lateness, 0.99) > interval / 2


async def play(
    plan: Plan,
    gallery: Path,
    processes: int,
    show: Callable[[LoadRun], None] = lambda _: None,
    stop: asyncio.Event | None = None,
) -> LoadRun:
    """Play a plan with several client processes; the event ends the run early.

    ``show`` is called each second with the results so far.

    Raises:
        ResourceError: a client process failed.
    """
    clients: list[asyncio.subprocess.Process] = []
    outcome = LoadRun(plan, Watch(plan.url))
    background: list[asyncio.Task[None]] = []
    try:
        for number in range(processes):
            clients.append(await _client(number, processes, gallery, plan))
        await _start(clients, outcome)
        background += [asyncio.create_task(outcome.watch.run())]
        background += [asyncio.create_task(_show(outcome, show))]
        if stop is not None:
            background += [asyncio.create_task(_end_early(stop, clients, outcome))]
        await asyncio.gather(*(_follow(n, c, outcome) for n, c in enumerate(clients)))
    finally:
        for task in background:
            task.cancel()
        for client in clients:
            with contextlib.suppress(ProcessLookupError):
                client.kill()
            await client.wait()
    show(outcome)
    return outcome


async def _client(number: int, of: int, gallery: Path, plan: Plan) -> asyncio.subprocess.Process:
    client = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "loadtest.crowd", str(number), str(of), str(gallery)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=LINE_BYTES,
        start_new_session=True,  # Ctrl-C reaches only this process, which stops the clients
    )
    assert client.stdin is not None
    client.stdin.write(f"{plan.dumps()}\n".encode())
    return client


async def _start(clients: list[asyncio.subprocess.Process], outcome: LoadRun) -> None:
    """Let all clients start at the same time, once all are ready."""
    for client in clients:
        assert client.stdout is not None
        if await client.stdout.readline() != b"ready\n":
            raise ResourceError(CLIENT_FAILED)
    epoch = time.time() + START_SECONDS
    outcome.started = time.monotonic() + START_SECONDS
    for client in clients:
        assert client.stdin is not None
        client.stdin.write(f"{epoch!r}\n".encode())
        client.stdin.close()


async def _follow(number: int, client: asyncio.subprocess.Process, outcome: LoadRun) -> None:
    assert client.stdout is not None
    async for line in client.stdout:
        outcome.take(number, json.loads(line))
    if await client.wait() != 0:
        raise ResourceError(CLIENT_FAILED)


async def _end_early(
    stop: asyncio.Event, clients: list[asyncio.subprocess.Process], outcome: LoadRun
) -> None:
    await stop.wait()
    outcome.stopped = True
    for client in clients:
        with contextlib.suppress(ProcessLookupError):
            client.terminate()


async def _show(outcome: LoadRun, show: Callable[[LoadRun], None]) -> None:
    while True:
        await asyncio.sleep(1.0)
        show(outcome)
