"""5. Side by side with what a user would pick instead: same models, frames, machine and workers.

Each contender is installed into a virtual environment of its own. All have all processors of the
machine; this service pins its workers as always. First each goes as fast as it can; then each gets
the same load, a little above half of what the slowest can do, on a metronome. A ratio above 1
means that this service leads: its frames a second over the contender's, and the contender's 99th
percentile over its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.driver import Connect, Line, Seen, metronome, saturate, to_service
from benchmarks.setting import MODELS, NEVER_DONE, WORKERS, on_other_cpus, passing_jpegs, service
from benchmarks.versus.lines import HOST, http, websocket
from tests.support.service import ROOT, free_port

ROUNDS, SECONDS, LINES_PER_WORKER = 3, 4.0, 4
SHARE_OF_SLOWEST = 0.55
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
    connect: Callable[[int, AsyncExitStack], Awaitable[Line]]


CONTENDERS = (
    Contender("threads", "benchmarks.versus.threads", (), websocket),
    Contender("processes", "benchmarks.versus.processes", (), websocket),
    Contender("litserve", "benchmarks.versus.litserve_server", ("litserve",), http),
)


def python_of(contender: Contender) -> Path:
    """Make the contender's virtual environment, once.

    Raises:
        subprocess.CalledProcessError: something cannot be installed.
    """
    place = ROOT / "build" / "bench" / f"venv-{contender.name}"
    done = place / "installed"
    python = place / "bin" / "python"
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--editable", str(ROOT), *contender.needs],
            check=True,
            capture_output=True,
        )
        done.touch()
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
    process = subprocess.Popen(
        [python_of(contender), "-m", contender.module],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        asyncio.run(_until_judging(contender, port))
        yield partial(contender.connect, port)
    finally:
        with contextlib.suppress(ProcessLookupError):  # the whole group that it started
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


async def _until_judging(contender: Contender, port: int) -> None:
    """Wait until a frame is judged, so that loading models is not measured."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            async with asyncio.timeout(START_SECONDS), AsyncExitStack() as stack:
                line = await contender.connect(port, stack)
                if await line.judge(passing_jpegs()[0]):
                    return
        except (OSError, asyncio.IncompleteReadError):
            pass
        if time.monotonic() > deadline:
            raise TimeoutError(f"{contender.name} does not judge on {HOST}:{port}")
        await asyncio.sleep(0.3)


@contextlib.contextmanager
def ours() -> Iterator[Connect]:
    """Run this service until the block ends."""
    with service(NEVER_DONE) as started:
        yield to_service(started.url)


def fastest(connect: Connect) -> Seen:
    """Drive as fast as it goes; the client stays off the processors of pinned workers."""
    with on_other_cpus():
        return asyncio.run(saturate(connect, LINES_PER_WORKER * WORKERS, passing_jpegs(), SECONDS))


def paced(connect: Connect, pace: float) -> Seen:
    """Drive at a pace."""
    lines = 2 * LINES_PER_WORKER * WORKERS
    with on_other_cpus():
        return asyncio.run(metronome(connect, lines, passing_jpegs(), pace, SECONDS))


def _in_turn(
    lines: dict[str, Connect], drive: Callable[[Connect], Seen], figure: Callable[[Seen], float]
) -> dict[str, float]:
    """Drive all in turn, several times, so that a change of the machine's speed meets all alike.

    Returns:
        The median of a figure over the rounds, by name.
    """
    found: dict[str, list[float]] = {name: [] for name in lines}
    for _ in range(ROUNDS):
        for name, connect in lines.items():
            found[name].append(figure(drive(connect)))
    return {name: statistics.median(values) for name, values in found.items()}


def run() -> dict[str, Any]:
    """Measure; a contender that cannot be installed or started is named with the reason."""
    with contextlib.ExitStack() as stack:
        lines: dict[str, Connect] = {"ours": stack.enter_context(ours())}
        missing: dict[str, str] = {}
        for contender in CONTENDERS:
            try:
                lines[contender.name] = stack.enter_context(serving(contender))
            except (subprocess.CalledProcessError, TimeoutError) as error:
                missing[contender.name] = str(error)
        fps = _in_turn(lines, fastest, lambda seen: seen.fps)
        pace = SHARE_OF_SLOWEST * min(fps.values())
        p99 = _in_turn(lines, lambda connect: paced(connect, pace), lambda s: s.percentile(0.99))
    rivals = [name for name in lines if name != "ours"]
    return {
        "versus": {
            name: {
                "fps_ratio": fps["ours"] / fps[name],
                "p99_ratio": p99[name] / p99["ours"],
            }
            for name in rivals
        },
        "versus_fps": fps,
        "versus_p99_ms": p99,
        "versus_at_fps": pace,
        "versus_missing": missing,
    }
