"""CPU of the plumbing per frame: gateway and aggregator, without decoding and estimation.

Ten sessions send stamped frames to a service whose workers only read the stamp. The gateway decodes
in separate threads, for which the kernel accounts separately from the loop and ZeroMQ.

    python -m benchmarks.plumbing [SESSIONS] [FRAMES_PER_SESSION]
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import uvloop

from benchmarks.driver import Shots
from loadtest.synthetic.sensor import Exposures
from lunapass_client import Client
from shared.wire.protocol import Command
from tests.support.service import Service, running
from tests.support.stamp import stamped_jpeg

TRANSPORT = "ZMQbg"
"""First characters of the names of ZeroMQ's I/O threads, which count as plumbing."""
PAUSE = 0.02
"""Seconds between two frames of a session, at least."""
RESULT = Path("build/bench_plumbing.json")


@dataclass(frozen=True)
class CpuSeconds:
    """CPU seconds of one process; ZeroMQ's threads count as the main thread."""

    main_thread: float
    other_threads: float

    def since(self, before: CpuSeconds) -> CpuSeconds:
        """Difference to an earlier reading."""
        return CpuSeconds(
            self.main_thread - before.main_thread, self.other_threads - before.other_threads
        )


def cpu(pid: int) -> CpuSeconds:
    """Read a process's CPU time from the scheduler.

    It counts nanoseconds. The usual accounting in ticks of 10 ms would make steps of 20 us per
    frame out of 500 frames.
    """
    own = others = 0.0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        try:
            seconds = int((thread / "schedstat").read_text().split()[0]) / 1e9
            name = (thread / "comm").read_text()
        except OSError:  # the thread has ended
            continue
        if int(thread.name) == pid or name.startswith(TRANSPORT):
            own += seconds
        else:
            others += seconds
    return CpuSeconds(own, others)


def failing(person: int) -> Shots:
    """Return a camera whose frames the stamp backend finds not live."""
    return [Exposures.of_file(stamped_jpeg(person, 1)).shot]


async def send(service: Service, shots: Shots, frames: int) -> int:
    """Send frames, each after the answer to the previous one; return how many were judged."""
    judged = 0
    async with Client(service.url) as client:
        for number in range(frames):
            started = time.monotonic()
            await client.send_frame(shots[number % len(shots)]())
            if (await client.receive()).command is Command.STATUS:
                judged += 1
            await asyncio.sleep(max(0.0, started + PAUSE - time.monotonic()))
    return judged


async def measure(
    service: Service,
    sessions: int,
    frames: int,
    shots_of: Callable[[int], Shots] = failing,
) -> dict[str, float]:
    """Microseconds of CPU time per judged frame.

    Args:
        service: a running service.
        sessions: concurrent sessions.
        frames: frames of each.
        shots_of: returns a person's cameras, used in turn; their frames must not end the session.
    """
    pids = {role: service.pids(role)[0] for role in ("gateway", "aggregator")}
    shown = [shots_of(person) for person in range(sessions)]
    await send(service, shown[0], 20)
    before = {role: cpu(pid) for role, pid in pids.items()}
    started = time.monotonic()
    judged = sum(await asyncio.gather(*(send(service, one, frames) for one in shown)))
    seconds = time.monotonic() - started
    used = {role: cpu(pid).since(before[role]) for role, pid in pids.items()}
    micro = 1e6 / judged
    gateway = used["gateway"].main_thread * micro
    aggregator = (used["aggregator"].main_thread + used["aggregator"].other_threads) * micro
    return {
        "frames": judged,
        "frames_per_second": judged / seconds,
        "gateway_us": gateway,
        "aggregator_us": aggregator,
        "plumbing_us": gateway + aggregator,
        "decoding_us": used["gateway"].other_threads * micro,
    }


def main() -> None:
    """Run and print."""
    sessions = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    frames = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    with running(workers=2) as service:
        figures = uvloop.run(measure(service, sessions, frames))
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(figures, indent=1))
    print(f"{sessions} sessions")
    for name, value in figures.items():
        print(f"{name:>20} {value:10.1f}")


if __name__ == "__main__":
    main()
