"""5. Side by side with what a user would pick instead: same models, frames, machine and workers.

Each contender is installed into a virtual environment of its own, with the very versions and the
model runtimes that this service has here. All have all processors of the machine; this service pins
its workers as always. First each goes as fast as it can; then each gets
the same load, a little above half of what the slowest can do, on a metronome. A ratio above 1
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
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import uvloop
from websockets.exceptions import WebSocketException

from benchmarks.driver import Connect, Line, Seen, metronome, saturate, to_service
from benchmarks.setting import MODELS, NEVER_DONE, WORKERS, on_other_cpus, passing_jpegs, service
from benchmarks.versus.lines import HOST, http, websocket
from tests.support.service import ROOT, free_port

BUILD, LOCK = ROOT / "build" / "bench", ROOT / "requirements.lock"
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
    lines, frame = LINES_PER_WORKER * WORKERS, passing_jpegs()[0]
    while time.monotonic() < deadline and process.poll() is None:
        # Not there yet: refused, or cut off in the middle.
        with contextlib.suppress(OSError, EOFError, WebSocketException):
            async with asyncio.timeout(START_SECONDS), AsyncExitStack() as stack:
                clients = [await contender.connect(port, stack) for _ in range(lines)]
                if all(await asyncio.gather(*(line.judge(frame) for line in clients))):
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
    with on_other_cpus():
        return uvloop.run(saturate(connect, LINES_PER_WORKER * WORKERS, passing_jpegs(), SECONDS))


def paced(connect: Connect, pace: float) -> Seen:
    """Drive at a pace."""
    lines = 2 * LINES_PER_WORKER * WORKERS
    with on_other_cpus():
        return uvloop.run(metronome(connect, lines, passing_jpegs(), pace, SECONDS))


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
            except subprocess.CalledProcessError as error:
                missing[contender.name] = f"{error}: {error.stderr or ''}".strip()
            except TimeoutError as error:
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
