"""One client process of a load run: plays its share of the crowd and tells each second what it saw.

    python -m loadtest.crowd INDEX PROCESSES GALLERY

On standard input come a line with the plan and, once this process has said that it is ready, a line
with the time of the epoch at which all processes begin. Each second a JSON line goes to standard
output. SIGTERM ends the run early: people say good-bye, and what was seen is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import math
import random
import signal
import sys
import time
from collections.abc import Awaitable
from functools import partial
from pathlib import Path
from typing import Any

import uvloop

from loadtest.gallery import Gallery, Take
from loadtest.kiosk import Kiosk
from loadtest.plan import Plan
from loadtest.tally import CrowdTally
from shared.errors import StartupError

READY = "ready"
STEP = 0.05
LAST_WORDS = 5.0
"""Seconds after the end for sessions to get their last answer."""


class Crowd:
    """Keeps as many people about as the plan asks.

    Args:
        plan: the whole run.
        take: takes a frame of a person.
        index: number of this process; it plays every ``processes``-th kiosk.
        processes: number of client processes.
        start: monotonic time of the beginning.
    """

    def __init__(self, plan: Plan, take: Take, index: int, processes: int, start: float) -> None:
        self._plan = plan
        self._take = take
        self._index = index
        self._processes = processes
        self._start = start
        self._tally = CrowdTally()
        self._kiosks: dict[int, Kiosk] = {}
        self._tasks: dict[int, asyncio.Task[Any]] = {}
        self._stopped = asyncio.Event()

    def _elapsed(self) -> float:
        return time.monotonic() - self._start

    def _level(self) -> float:
        return 0.0 if self._stopped.is_set() else self._plan.profile.level(self._elapsed())

    def _wants(self, number: int) -> bool:
        """Whether the load is above a number."""
        return self._level() > number

    def stop(self) -> None:
        """End before the plan does."""
        self._stopped.set()

    async def run(self) -> None:
        """Play the plan to its end, telling each second.

        Raises:
            BrokenPipeError: nobody listens any more.
        """
        await self._pause(-self._elapsed())
        telling = asyncio.create_task(self._tell())
        playing = asyncio.create_task(self._play())
        await asyncio.wait((telling, playing), return_when=asyncio.FIRST_COMPLETED)
        if telling.done():
            telling.result()
        telling.cancel()
        await playing
        self._write(math.ceil(self._elapsed()))

    async def _play(self) -> None:
        await (self._arrive() if self._plan.arrivals else self._open_kiosks())
        if present := [self._tasks[n] for n, kiosk in self._kiosks.items() if kiosk.present]:
            await asyncio.wait(present, timeout=LAST_WORDS)
        rest = list(self._tasks.values())
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    def _begin(self, number: int, kiosk: Kiosk, doing: Awaitable[Any]) -> None:
        self._kiosks[number], self._tasks[number] = kiosk, asyncio.ensure_future(doing)
        self._tasks[number].add_done_callback(lambda _: self._end(number))

    def _end(self, number: int) -> None:
        del self._kiosks[number], self._tasks[number]

    def _kiosk(self, number: int) -> Kiosk:
        seed = hash((self._plan.seed, self._index, number))
        return Kiosk(self._plan, self._take, lambda: self._tally, seed)

    async def _open_kiosks(self) -> None:
        """Keep kiosk ``n`` open while the level is above ``n``."""
        while self._elapsed() < self._plan.profile.seconds and not self._stopped.is_set():
            for number in range(self._index, math.ceil(self._level()), self._processes):
                if number not in self._tasks:
                    kiosk = self._kiosk(number)
                    self._begin(number, kiosk, kiosk.stay(partial(self._wants, number)))
            await self._pause(STEP)

    async def _arrive(self) -> None:
        """Let people come at random times, however many are still there."""
        chance = random.Random(hash((self._plan.seed, self._index)))  # noqa: S311  # no secret
        profile, due, number = self._plan.profile, 0.0, 0
        most = profile.most / self._processes
        while (due := due + chance.expovariate(most)) < profile.seconds:
            if chance.random() * profile.most > profile.level(due):
                continue  # thinned: the rate is below the greatest one now
            await self._pause(due - self._elapsed())
            if self._stopped.is_set():
                return
            number += 1
            kiosk = self._kiosk(number)
            visit = kiosk.attend(self._start + due, partial(self._wants, 0))
            self._begin(number, kiosk, visit)
        await self._pause(profile.seconds - self._elapsed())

    async def _pause(self, seconds: float) -> None:
        """Sleep, but not beyond the end."""
        if seconds > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._stopped.wait()
        else:
            await asyncio.sleep(0)

    async def _tell(self) -> None:
        second = 0
        while True:
            second += 1
            await asyncio.sleep(max(0.0, second - self._elapsed()))
            self._write(second)

    def _write(self, second: int) -> None:
        tally, self._tally = self._tally, CrowdTally()
        tally.kiosks = sum(kiosk.present for kiosk in self._kiosks.values())
        line: dict[str, Any] = {"second": second, "cpu": time.process_time(), **tally.packed()}
        print(json.dumps(line), flush=True)


async def _run(plan: Plan, take: Take, index: int, processes: int, begin: float) -> None:
    crowd = Crowd(plan, take, index, processes, begin)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, crowd.stop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    await crowd.run()


def main() -> None:
    """Run one client process."""
    index, processes, gallery = sys.argv[1:4]
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # until the crowd can hear it
    plan = Plan.loads(sys.stdin.readline())
    try:
        take = Gallery.load(Path(gallery)).camera()
    except StartupError as error:
        sys.exit(f"lunapass: {error}")
    gc.collect()
    gc.freeze()
    print(READY, flush=True)
    start = sys.stdin.readline()
    if start:  # else the run was called off
        begin = time.monotonic() + float(start) - time.time()
        with contextlib.suppress(BrokenPipeError):  # the parent has gone: so does this process
            uvloop.run(_run(plan, take, int(index), int(processes), begin))


if __name__ == "__main__":
    main()
