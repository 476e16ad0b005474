"""A whole load run: starts the client processes, adds up what they tell, watches the service."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loadtest.plan import Plan
from loadtest.tally import Tally, percentile
from loadtest.watch import Watch
from shared.errors import ResourceError

LINE_BYTES = 1 << 20
START_SECONDS = 2.0
"""Seconds for the client processes to get ready."""


@dataclass
class Outcome:
    """A finished or running load run.

    Attributes:
        plan: what was asked.
        seconds: what was seen, second by second.
        whole: everything added up.
        watch: what the service told of itself.
        started: monotonic time of the beginning.
        client_cpu: processor seconds by client process.
    """

    plan: Plan
    watch: Watch
    started: float = 0.0
    seconds: dict[int, Tally] = field(default_factory=dict)
    whole: Tally = field(default_factory=Tally)
    client_cpu: dict[int, float] = field(default_factory=dict)

    def take(self, process: int, line: dict[str, Any]) -> None:
        """Add what a client process told."""
        self.client_cpu[process] = line["cpu"]
        self.seconds.setdefault(line["second"], Tally()).add(line)
        self.whole.add({**line, "kiosks": 0})

    def between(self, first: float, last: float) -> Tally:
        """Add up the seconds from one to another."""
        whole = Tally()
        for second, tally in self.seconds.items():
            if first < second <= last:
                whole.add({**tally.packed(), "kiosks": 0})
        return whole


def summary(tally: Tally, seconds: float) -> dict[str, Any]:
    """Describe a tally in numbers for people and programs."""
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


async def play(
    plan: Plan,
    gallery: Path,
    processes: int,
    show: Callable[[Outcome], None] = lambda _: None,
) -> Outcome:
    """Play a plan with several client processes.

    Args:
        plan: what to do.
        gallery: file of the frames.
        processes: number of client processes.
        show: called each second with what is known so far.

    Raises:
        ResourceError: a client process ended with a fault.
    """
    begin = time.time() + START_SECONDS
    outcome = Outcome(plan, Watch(plan.url), time.monotonic() + START_SECONDS)
    clients = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "loadtest.crowd"),
            *(str(index), str(processes), str(gallery), repr(begin)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LINE_BYTES,
        )
        for index in range(processes)
    ]
    watching = asyncio.create_task(outcome.watch.run())
    showing = asyncio.create_task(_show(outcome, show))
    try:
        await asyncio.gather(*(_follow(n, c, outcome) for n, c in enumerate(clients)))
    finally:
        for task in (watching, showing):
            task.cancel()
        for client in clients:
            with contextlib.suppress(ProcessLookupError):
                client.kill()
            await client.wait()
    show(outcome)
    return outcome


async def _follow(number: int, client: asyncio.subprocess.Process, outcome: Outcome) -> None:
    assert client.stdin is not None
    assert client.stdout is not None
    client.stdin.write(outcome.plan.dumps().encode())
    await client.stdin.drain()
    client.stdin.close()
    async for line in client.stdout:
        outcome.take(number, json.loads(line))
    if await client.wait() != 0:
        raise ResourceError("a client process of the load run failed; its message is above")


async def _show(outcome: Outcome, show: Callable[[Outcome], None]) -> None:
    while True:
        await asyncio.sleep(1.0)
        show(outcome)
