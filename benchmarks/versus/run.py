"""5. Comparison with alternatives: same models, frames, machine and number of workers.

Each contender is installed into its own virtual environment, with the same versions and model
runtimes as this service. All may use all CPUs; this service pins its workers as always. First each
runs as fast as it can. Then each gets the same frames at the same random times, as from independent
people, at three quarters of the slowest one's rate. Last, frames are evenly spaced at a rate where
none waits for another. A ratio above 1 means that this service is better: its frames per second
over the contender's, and the contender's 99th percentile over its own.
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
"""Share of the slowest one's rate."""
START_SECONDS = 60.0


@dataclass(frozen=True)
class Contender:
    """An alternative to this service.

    Attributes:
        name: key in the results.
        module: its server.
        needs: packages in addition to this project's.
        connect: opens a line to it.
    """

    name: str
    module: str
    needs: tuple[str, ...]
    connect: Callable[[int, AsyncExitStack], Awaitable[DrivenLine]]


CONTENDERS = (
    Contender("threads", "benchmarks.versus.threads", (), websocket),
    Contender("processes", "benchmarks.versus.processes", (), websocket),
    Contender("litserve", "benchmarks.versus.litserve_server", ("litserve",), http),
    Contender("mosec", "benchmarks.versus.mosec_server", ("mosec",), http),
)


def python_of(contender: Contender) -> Path:
    """Create the contender's virtual environment unless it exists with the wanted versions.

    Raises:
        subprocess.CalledProcessError: a package cannot be installed.
    """
    folder = BUILD / f"venv-{contender.name}"
    done = folder / "installed"
    python = folder / "bin" / "python"
    runtimes = "[openvino]" if importlib.util.find_spec("openvino") else ""
    wanted = ["--constraint", str(LOCK), "--editable", f"{ROOT}{runtimes}", *contender.needs]
    state = json.dumps([wanted, LOCK.read_text(), (ROOT / "setup.cfg").read_text()])
    if not done.exists() or done.read_text() != state:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", *wanted],
            check=True,
            capture_output=True,
            text=True,
        )
        done.write_text(state)
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
        with contextlib.suppress(ProcessLookupError):  # kills its whole process group
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


async def _until_judging(contender: Contender, port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until all its workers have judged a frame, so that loading models is not measured.

    Raises:
        TimeoutError: it does not judge, or has exited.
    """
    deadline = time.monotonic() + START_SECONDS
    lines, shot = LINES_PER_WORKER * WORKERS, passing_shots()[0]
    while time.monotonic() < deadline and process.poll() is None:
        # A server that is starting refuses connections or drops them.
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
    """Send as fast as possible; the client does not use the CPUs of pinned workers."""
    drive = saturate(connect, LINES_PER_WORKER * WORKERS, passing_shots(), SECONDS)
    with on_other_cpus():
        return uvloop.run(drive)


def paced(connect: Connect, dues: list[float]) -> Seen:
    """Send on a schedule."""
    lines = 2 * LINES_PER_WORKER * WORKERS
    with on_other_cpus():
        return uvloop.run(on_schedule(connect, lines, passing_shots(), dues, SECONDS))


def duels(
    lines: dict[str, Connect], drive: Callable[[Connect, int], Seen]
) -> dict[str, list[tuple[Seen, Seen]]]:
    """Measure this service and each contender one right after the other, several times.

    The speed of a shared machine may halve within a minute, so only neighbouring runs compare.

    Returns:
        Measurements of this service and of the contender in each round, by the contender's name.
    """
    found: dict[str, list[tuple[Seen, Seen]]] = {name: [] for name in lines if name != OURS}
    for number in range(ROUNDS):
        for name, pairs in found.items():
            pairs.append((drive(lines[OURS], number), drive(lines[name], number)))
    return found


def p99_ratio(pairs: list[tuple[Seen, Seen]]) -> float:
    """The contender's 99th percentile over ours, each over all rounds."""
    ours, rivals = (together(side) for side in zip(*pairs, strict=True))
    return rivals.percentile(0.99) / ours.percentile(0.99)


def together(seen: Sequence[Seen]) -> Seen:
    """Merge the measurements of all rounds."""
    return Seen(
        sum(one.seconds for one in seen),
        [value for one in seen for value in one.milliseconds],
        sum(one.lost for one in seen),
    )


def run() -> dict[str, Any]:
    """Measure; report contenders that cannot be installed or started, with the reason."""
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
