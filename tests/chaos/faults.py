"""Injects faults into a running service by a schedule, and records them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import resource
import signal
import time
from collections import Counter
from dataclasses import dataclass, field

import httpx

from lunapass_client import Client
from tests.chaos.nemesis import GATEWAY, HEALING_SECONDS, KEEPERS, Act, Fault
from tests.chaos.player import ABSENT
from tests.support.service import Service
from tests.support.stamp import DIE, HANG, stamped_jpeg

SPARE_DESCRIPTORS = 2
SIGNALS = {Act.KILL: signal.SIGKILL, Act.RESTART: signal.SIGTERM}


@dataclass
class Nemesis:
    """Injects faults one by one.

    Args:
        service: whose roles get the faults.
        chance: selects one of several workers.

    Attributes:
        done: how often each fault was injected.
        stopped: intervals in which the gateway was suspended.
    """

    service: Service
    chance: random.Random
    done: Counter[str] = field(default_factory=Counter)
    stopped: list[tuple[float, float]] = field(default_factory=list)
    _healed: float = 0.0
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def run(self, faults: list[Fault]) -> None:
        """Inject each fault at its time.

        Gateway and aggregator get one only while the service is whole.

        A fault that would come too soon after a delayed one is skipped, and the report says so.
        """
        begun = time.monotonic()
        for fault in faults:
            await asyncio.sleep(max(0.0, begun + fault.at - time.monotonic()))
            if fault.role in KEEPERS:
                if time.monotonic() < self._healed or not await self._whole():
                    self.done["skipped"] += 1
                    continue
                self._healed = time.monotonic() + fault.seconds + HEALING_SECONDS
            self._tasks.append(asyncio.create_task(self._apply(fault)))
        await asyncio.gather(*self._tasks)

    async def _whole(self) -> bool:
        for _ in range(20):
            with contextlib.suppress(httpx.HTTPError):
                answer = await asyncio.to_thread(self.service.get, "/readyz")
                if answer.status_code == 200:
                    return True
            await asyncio.sleep(0.1)
        return False

    async def _apply(self, fault: Fault) -> None:
        if fault.act in (Act.POISON, Act.HANG):
            applied = await self._poison(DIE if fault.act is Act.POISON else HANG)
        else:
            applied = await self._harm(fault)
        if applied:
            self.done[f"{fault.role}: {fault.act}"] += 1

    async def _harm(self, fault: Fault) -> bool:
        pids = self.service.pids(fault.role)
        if not pids:
            return False
        pid = self.chance.choice(pids)
        with contextlib.suppress(ProcessLookupError):
            if fault.act is Act.STOP:
                await self._stop(pid, fault)
            elif fault.act is Act.EXHAUST:
                await self._exhaust(pid, fault.seconds)
            else:
                os.kill(pid, SIGNALS[fault.act])
            return True
        return False

    async def _stop(self, pid: int, fault: Fault) -> None:
        begin = time.monotonic()
        os.kill(pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(fault.seconds)
        finally:
            if fault.role == GATEWAY:
                self.stopped.append((begin, time.monotonic()))
            os.kill(pid, signal.SIGCONT)

    async def _exhaust(self, pid: int, seconds: float) -> None:
        """Leave a process hardly any free file descriptor."""
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        open_now = len(os.listdir(f"/proc/{pid}/fd"))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (open_now + SPARE_DESCRIPTORS, before[1]))
        try:
            await asyncio.sleep(seconds)
        finally:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)

    async def _poison(self, person: int) -> bool:
        """Send one frame that kills, or hangs, each worker that reads it."""
        with contextlib.suppress(*ABSENT):
            async with Client(self.service.url) as client:
                await client.send_frame(stamped_jpeg(person, 1))
                await client.receive(seconds=12)
                return True
        return False
