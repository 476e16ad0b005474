"""5. Side by side with what a user would pick instead: same models, frames, machine and workers.

Each contender is installed into a virtual environment of its own, with the very versions and the
model runtimes that this service has here. All have all processors of the machine; this service pins
its workers as always. First each goes as fast as it can; then each gets the same frames at the
same random moments, three quarters of what the slowest can do, as from people who know nothing of
each other; last a calm load, evenly spaced, where no frame ever meets another. A ratio above 1
means that this service leads: its frames a second over the contender's, and the contender's 99th
percentile over its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import uvloop
from websockets.exceptions import WebSocketException

from benchmarks.driver import (
    Connect,
    DrivenLine,
    Seen,
    at_random,
    evenly,
    on_schedule,
    saturate,
    to_service,
)
from benchmarks.setting import MODELS, NEVER_DONE, WORKERS, on_other_cpus, passing_shots, service
from benchmarks.versus.lines import HOST, http, websocket
from tests.support.service import ROOT, free_port

BUILD, LOCK = ROOT / "build" / "bench", ROOT / "requirements.lock"
OURS = "ours"
ROUNDS, SECONDS, LINES_PER_WORKER = 5, 3.5, 4
BUSY, CALM = 0.75, 0.55
"""Share of what the slowest can do."""
START_SECONDS = 60.0


@dataclass(frozen=True)
class Contender:
    """Something a user would pick instead.

    Attributes:
        name: key in the results.
        module: its server.
        needs: packages beside those of this project.
        connect: makes a line to it.
    """

    name: str
    module: str
    needs: tuple[str, ...]
    connect: Callable[[int, AsyncExitStack], Awaitable[DrivenLine]]


CONTENDERS = (
    Contender("threads", "benchmarks.versus.threads", (), websocket),
    Contender("processes", "benchmarks.versus.processes", (), websocket),
    Contender("litserve", "benchmarks.versus.litserve_server", ("litserve",), http),
)


def python_of(contender: Contender) -> Path:
    """Make the contender's virtual environment, once for the versions that are wanted.

    Raises:
        subprocess.CalledProcessError: something cannot be installed.
    """
    place = BUILD / f"venv-{contender.name}"
    done = place / "installed"
    python = place / "bin" / "python"
    runtimes = "[openvino]" if importlib.util.find_spec("openvino") else ""
    wanted = ["--constraint", str(LOCK), "--editable", f"{ROOT}{runtimes}", *contender.needs]
    told = json.dumps([wanted, LOCK.read_text(), (ROOT / "setup.cfg").read_text()])
    if not done.exists() or done.read_text() != told:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(place)], check=True)
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", *wanted],
            check=True,
            capture_output=True,
            text=True,
        )
        done.write_text(told)
    return python


@contextlib.contextmanager
def serving(contender: Contender) -> Iterator[Connect]:
    """Run a contender's server until the block ends."""
    port = free_port()
    environment = {
        **os.environ,
        "BENCH_PORT": str(port),
        "BENCH_WORKERS": str(WORKERS),
        "BENCH_MODELS": str(MODELS),
        "PYTHONPATH": str(ROOT),
    }
    python = python_of(contender)
    with (BUILD / f"{contender.name}.log").open("wb") as log:
        process = subprocess.Popen(
            [python, "-m", contender.module],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        uvloop.run(_until_judging(contender, port, process))
        yield partial(contender.connect, port)
    finally:
        with contextlib.suppress(ProcessLookupError):  # the whole group that it started
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


async def _until_judging(contender: Contender, port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until all its workers have judged, so that loading models is not measured.

    Raises:
        TimeoutError: it does not judge, or has ended.
    """
    deadline = time.monotonic() + START_SECONDS
    lines, shot = LINES_PER_WORKER * WORKERS, passing_shots()[0]
    while time.monotonic() < deadline and process.poll() is None:
        # Not there yet: refused, or cut off in the middle.
        with contextlib.suppress(OSError, EOFError, WebSocketException):
            async with asyncio.timeout(START_SECONDS), AsyncExitStack() as stack:
                clients = [await contender.connect(port, stack) for _ in range(lines)]
                if all(await asyncio.gather(*(line.judge(shot()) for line in clients))):
                    return
        await asyncio.sleep(0.3)
    raise TimeoutError(f"{contender.name} does not judge on {HOST}:{port}; see its log in {BUILD}")


@contextlib.contextmanager
def ours() -> Iterator[Connect]:
    """Run this service until the block ends."""
    with service(NEVER_DONE) as started:
        yield to_service(started.url)


def fastest(connect: Connect) -> Seen:
    """Drive as fast as it goes; the client stays off the processors of pinned workers."""
    drive = saturate(connect, LINES_PER_WORKER * WORKERS, passing_shots(), SECONDS)
    with on_other_cpus():
        return uvloop.run(drive)


def paced(connect: Connect, dues: list[float]) -> Seen:
    """Drive on a schedule."""
    lines = 2 * LINES_PER_WORKER * WORKERS
    with on_other_cpus():
        return uvloop.run(on_schedule(connect, lines, passing_shots(), dues, SECONDS))


def duels(
    lines: dict[str, Connect], drive: Callable[[Connect, int], Seen]
) -> dict[str, list[tuple[Seen, Seen]]]:
    """Drive this service and each rival one right after the other, several times.

    A shared machine is half as fast in one minute as in the next; only neighbours compare.

    Returns:
        What was seen of this service and of the rival, in each round, by the rival's name.
    """
    found: dict[str, list[tuple[Seen, Seen]]] = {name: [] for name in lines if name != OURS}
    for number in range(ROUNDS):
        for name, pairs in found.items():
            pairs.append((drive(lines[OURS], number), drive(lines[name], number)))
    return found


def p99_ratio(pairs: list[tuple[Seen, Seen]]) -> float:
    """The rival's 99th percentile over ours, each of all rounds together."""
    ours, rivals = (together(side) for side in zip(*pairs, strict=True))
    return rivals.percentile(0.99) / ours.percentile(0.99)


def together(seen: Sequence[Seen]) -> Seen:
    """All rounds as one."""
    return Seen(
        sum(one.seconds for one in seen),
        [value for one in seen for value in one.milliseconds],
        sum(one.lost for one in seen),
    )


def run() -> dict[str, Any]:
    """Measure; a contender that cannot be installed or started is named with the reason."""
    with contextlib.ExitStack() as stack:
        lines: dict[str, Connect] = {OURS: stack.enter_context(ours())}
        missing: dict[str, str] = {}
        for contender in CONTENDERS:
            try:
                lines[contender.name] = stack.enter_context(serving(contender))
            except subprocess.CalledProcessError as error:
                missing[contender.name] = f"{error}: {error.stderr or ''}".strip()
            except TimeoutError as error:
                missing[contender.name] = str(error)
        fast = duels(lines, lambda connect, _: fastest(connect))
        fps = {name: [(own.fps, rival.fps) for own, rival in fast[name]] for name in fast}
        slowest = min(statistics.median(min(pair) for pair in pairs) for pairs in fps.values())
        busy = slowest * BUSY
        random = duels(lines, lambda connect, seed: paced(connect, at_random(busy, SECONDS, seed)))
        calm = evenly(slowest * CALM, SECONDS)
        even = duels(lines, lambda connect, _: paced(connect, calm))
    return {
        "versus": {
            name: {
                "fps_ratio": statistics.median(own / rival for own, rival in fps[name]),
                "p99_ratio": p99_ratio(random[name]),
                "p99_ratio_calm": p99_ratio(even[name]),
            }
            for name in fps
        },
        "versus_fps": {
            name: [statistics.median(side) for side in zip(*fps[name], strict=True)] for name in fps
        },
        "versus_p99_ms": {
            name: [together(side).percentile(0.99) for side in zip(*random[name], strict=True)]
            for name in random
        },
        "versus_at_fps": busy,
        "versus_missing": missing,
    }
