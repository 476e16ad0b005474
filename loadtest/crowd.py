"""One client process of a load run: plays its share of the crowd and tells each second what it saw.

    python -m loadtest.crowd INDEX PROCESSES GALLERY START < plan.json

``START`` is the time of the epoch at which all processes begin. Each second a JSON line goes to
standard output.
"""

from __future__ import annotations

import asyncio
import gc
import json
import math
import random
import sys
import time
from pathlib import Path
from typing import Any

import uvloop

from loadtest.gallery import Gallery
from loadtest.kiosk import Kiosk
from loadtest.plan import Plan
from loadtest.tally import Tally

STEP = 0.05
LAST_WORDS = 5.0
"""Seconds after the end for sessions to get their last answer."""


class Crowd:
    """Keeps as many people about as the plan asks.

    Args:
        plan: the whole run.
        gallery: frames.
        index: number of this process; it plays every ``processes``-th kiosk.
        processes: number of client processes.
        start: monotonic time of the beginning.
    """

    def __init__(
        self, plan: Plan, gallery: Gallery, index: int, processes: int, start: float
    ) -> None:
        self._plan = plan
        self._gallery = gallery
        self._index = index
        self._processes = processes
        self._start = start
        self._tally = Tally()
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._visitors: set[asyncio.Task[None]] = set()

    def _elapsed(self) -> float:
        return time.monotonic() - self._start

    async def run(self) -> None:
        """Play the plan to its end, telling each second."""
        await asyncio.sleep(max(0.0, -self._elapsed()))
        telling = asyncio.create_task(self._tell())
        play = self._arrive if self._plan.arrivals else self._open_kiosks
        await play()
        present = [*self._tasks.values(), *self._visitors]
        if present:
            _, late = await asyncio.wait(present, timeout=LAST_WORDS)
            for task in late:
                self._tally.failed["no last word"] += 1
                task.cancel()
        telling.cancel()
        self._write(math.ceil(self._elapsed()))

    def _kiosk(self, number: int) -> Kiosk:
        seed = hash((self._plan.seed, self._index, number))
        return Kiosk(self._plan, self._gallery, lambda: self._tally, seed)

    async def _open_kiosks(self) -> None:
        """Keep kiosk ``n`` open while the level is above ``n``."""
        level = self._plan.profile.level
        while (elapsed := self._elapsed()) < self._plan.profile.seconds:
            for number in range(self._index, math.ceil(level(elapsed)), self._processes):
                task = self._tasks.get(number)
                if task is None or task.done():
                    self._tasks[number] = asyncio.create_task(self._stay(number))
            await asyncio.sleep(STEP)

    async def _stay(self, number: int) -> None:
        await self._kiosk(number).stay(lambda: self._plan.profile.level(self._elapsed()) > number)

    async def _arrive(self) -> None:
        """Let people come at random times, however many are still there."""
        chance = random.Random(hash((self._plan.seed, self._index)))  # noqa: S311  # no secret
        profile, due, number = self._plan.profile, 0.0, 0
        most = profile.most / self._processes
        while (due := due + chance.expovariate(most)) < profile.seconds:
            if chance.random() * profile.most > profile.level(due):
                continue  # thinned: the rate is below the greatest one now
            await asyncio.sleep(max(0.0, due - self._elapsed()))
            number += 1
            visit = self._kiosk(number).attend(
                self._start + due, lambda: self._elapsed() < profile.seconds
            )
            task = asyncio.create_task(visit)
            self._visitors.add(task)
            task.add_done_callback(self._visitors.discard)
        await asyncio.sleep(max(0.0, profile.seconds - self._elapsed()))

    async def _tell(self) -> None:
        second = 0
        while True:
            second += 1
            await asyncio.sleep(max(0.0, second - self._elapsed()))
            self._write(second)

    def _write(self, second: int) -> None:
        tally, self._tally = self._tally, Tally()
        working = sum(not task.done() for task in self._tasks.values())
        tally.kiosks = working + len(self._visitors)
        line: dict[str, Any] = {"second": second, "cpu": time.process_time(), **tally.packed()}
        print(json.dumps(line), flush=True)


def main() -> None:
    """Run one client process."""
    index, processes, gallery, start = sys.argv[1:5]
    plan = Plan.loads(sys.stdin.read())
    frames = Gallery.load(Path(gallery))
    gc.collect()
    gc.freeze()
    begin = time.monotonic() + float(start) - time.time()
    uvloop.run(Crowd(plan, frames, int(index), int(processes), begin).run())


if __name__ == "__main__":
    main()
