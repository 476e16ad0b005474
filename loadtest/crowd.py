"""One client process of a load run: plays its share of the crowd and reports its tally each second.

    python -m loadtest.crowd INDEX PROCESSES GALLERY

It reads a line with the plan from standard input, prints that it is ready, then reads a line with
the epoch time at which all processes start. It writes a JSON line to standard output each second.
SIGTERM ends the run early: people disconnect, and the last tally is written.
"""

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
from loadtest.kiosk import Kiosk, set_within
from loadtest.plan import Plan
from loadtest.tally import CrowdTally
from shared.errors import StartupError

READY = "ready"
STEP = 0.05
DRAIN_SECONDS = 5.0
"""Time after the end for sessions to get their last answer."""


class Crowd:
    """Plays every ``processes``-th kiosk from ``index`` on, at the level of the plan.

    ``start`` is the monotonic start time.

    Raises:
        ConfigError: the plan's start tokens cannot be signed.
    """

    def __init__(self, plan: Plan, take: Take, index: int, processes: int, start: float) -> None:
        self._plan = plan
        self._take = take
        self._index = index
        self._processes = processes
        self._start = start
        self._start_token = plan.start_token_source()
        self._tally = CrowdTally()
        self._kiosks: dict[int, tuple[Kiosk, asyncio.Future[Any]]] = {}
        self._stopped = asyncio.Event()

    def _elapsed(self) -> float:
        return time.monotonic() - self._start

    def _level(self) -> float:
        return 0.0 if self._stopped.is_set() else self._plan.profile.level(self._elapsed())

    def _wants(self, number: int) -> bool:
        return self._level() > number

    def stop(self) -> None:
        """End the run early."""
        self._stopped.set()

    async def run(self) -> None:
        """Play the plan to its end and write a tally each second.

        Raises:
            BrokenPipeError: the parent process is gone.
        """
        await self._pause(-self._elapsed())
        reporting = asyncio.create_task(self._report())
        playing = asyncio.create_task(self._play())
        await asyncio.wait((reporting, playing), return_when=asyncio.FIRST_COMPLETED)
        if reporting.done():
            reporting.result()
        reporting.cancel()
        await playing
        self._write(math.ceil(self._elapsed()))

    async def _play(self) -> None:
        await (self._arrive() if self._plan.arrivals else self._open_kiosks())
        if present := [task for kiosk, task in self._kiosks.values() if kiosk.present]:
            await asyncio.wait(present, timeout=DRAIN_SECONDS)
        rest = [task for _, task in self._kiosks.values()]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    def _start_kiosk(self, number: int, kiosk: Kiosk, doing: Awaitable[Any]) -> None:
        task = asyncio.ensure_future(doing)
        self._kiosks[number] = kiosk, task
        task.add_done_callback(lambda _: self._kiosks.pop(number))

    def _kiosk(self, number: int) -> Kiosk:
        seed = hash((self._plan.seed, self._index, number))
        return Kiosk(self._plan, self._take, lambda: self._tally, seed, self._start_token)

    async def _open_kiosks(self) -> None:
        """Keep kiosk ``n`` open as long as the level is above ``n``."""
        while self._elapsed() < self._plan.profile.seconds and not self._stopped.is_set():
            for number in range(self._index, math.ceil(self._level()), self._processes):
                if number not in self._kiosks:
                    kiosk = self._kiosk(number)
                    self._start_kiosk(number, kiosk, kiosk.stay(partial(self._wants, number)))
            await self._pause(STEP)

    async def _arrive(self) -> None:
        """Let people arrive at random times, however many are still present."""
        chance = random.Random(hash((self._plan.seed, self._index)))  # noqa: S311  # no secret
        profile, due, number = self._plan.profile, 0.0, 0
        most = profile.most / self._processes
        while (due := due + chance.expovariate(most)) < profile.seconds:
            if chance.random() * profile.most > profile.level(due):
                continue  # thinning: the current rate is below the maximum
            await self._pause(due - self._elapsed())
            if self._stopped.is_set():
                return
            number += 1
            kiosk = self._kiosk(number)
            visit = kiosk.attend(self._start + due, partial(self._wants, 0))
            self._start_kiosk(number, kiosk, visit)
        await self._pause(profile.seconds - self._elapsed())

    async def _pause(self, seconds: float) -> None:
        """Sleep, at most until the run is stopped."""
        await set_within(self._stopped, max(0.0, seconds))

    async def _report(self) -> None:
        second = 0
        while True:
            second += 1
            await asyncio.sleep(max(0.0, second - self._elapsed()))
            self._write(second)

    def _write(self, second: int) -> None:
        tally, self._tally = self._tally, CrowdTally()
        tally.kiosks = sum(kiosk.present for kiosk, _ in self._kiosks.values())
        line: dict[str, Any] = {"second": second, "cpu": time.process_time(), **tally.packed()}
        print(json.dumps(line), flush=True)


async def _run(plan: Plan, take: Take, index: int, processes: int, start: float) -> None:
    crowd = Crowd(plan, take, index, processes, start)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, crowd.stop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    await crowd.run()


def main() -> None:
    """Run one client process."""
    index, processes, gallery = sys.argv[1:4]
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # until the crowd handles it
    plan = Plan.loads(sys.stdin.readline())
    try:
        take = Gallery.load(Path(gallery)).camera()
    except StartupError as error:
        sys.exit(f"lunapass: {error}")
    gc.collect()
    gc.freeze()
    print(READY, flush=True)
    epoch = sys.stdin.readline()
    if epoch:  # empty if the run was cancelled
        start = time.monotonic() + float(epoch) - time.time()
        with contextlib.suppress(BrokenPipeError):  # the parent is gone, so exit
            uvloop.run(_run(plan, take, int(index), int(processes), start))


if __name__ == "__main__":
    main()
