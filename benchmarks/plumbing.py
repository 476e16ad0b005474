"""CPU of the plumbing for each frame: gateway and aggregator, without decoding and estimation.

Ten sessions send stamped pictures to a service whose workers only read the stamp. Of the gateway,
decoding is in threads of its own, apart from the loop and ZeroMQ; the kernel accounts for each.

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

import psutil
import uvloop

from benchmarks.driver import Shots
from loadtest.synthetic.sensor import Exposures
from lunapass.client import Client
from shared.wire.protocol import Command
from tests.support.service import Service, running
from tests.support.stamp import stamped_jpeg

PAUSE = 0.02
"""Seconds between two frames of a session."""
RESULT = Path("build/bench_plumbing.json")


@dataclass(frozen=True)
class CpuSeconds:
    """Processor seconds of one process; the threads of its transport count as the main one."""

    main_thread: float
    other_threads: float

    def since(self, before: CpuSeconds) -> CpuSeconds:
        """Difference to an earlier reading."""
        return CpuSeconds(
            self.main_thread - before.main_thread, self.other_threads - before.other_threads
        )


def cpu(pid: int) -> CpuSeconds:
    """Read a process's processor time from the kernel's accounting."""
    own = others = 0.0
    for thread in psutil.Process(pid).threads():
        seconds = thread.user_time + thread.system_time
        if thread.id == pid or _is_transport(pid, thread.id):
            own += seconds
        else:
            others += seconds
    return CpuSeconds(own, others)


def _is_transport(pid: int, thread: int) -> bool:
    """Tell the threads in which ZeroMQ moves bytes: they are plumbing too."""
    try:
        return Path(f"/proc/{pid}/task/{thread}/comm").read_text().startswith("ZMQbg")
    except OSError:  # it has ended
        return False


def failing(person: int) -> Shots:
    """What takes pictures that the stamp backend does not take for live."""
    return [Exposures.of_file(stamped_jpeg(person, 1)).shot]


async def send(service: Service, shots: Shots, frames: int) -> int:
    """Send frames, the next once the one before is answered; the number of judged ones."""
    judged = 0
    async with Client(service.url) as client:
        for number in range(frames):
            started = time.monotonic()
            await client.send_frame(shots[number % len(shots)]())
            judged += (await client.receive()).command is Command.STATUS
            await asyncio.sleep(max(0.0, started + PAUSE - time.monotonic()))
    return judged


async def measure(
    service: Service,
    sessions: int,
    frames: int,
    shots_of: Callable[[int], Shots] = failing,
) -> dict[str, float]:
    """Microseconds of processor time for each judged frame.

    Args:
        service: a running service.
        sessions: people at once.
        frames: frames of each.
        shots_of: gives what takes a person's frames, in turn; the session must not end with them.
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
