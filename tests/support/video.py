"""Sessions in Redis as the service writes them, jobs for them, and video workers."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis import Redis
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer

from shared.video_store import (
    JOB_FUNCTION,
    SessionMeta,
    StoredFrame,
    encode_frame,
    encode_meta,
    frames_key,
    job_id,
    meta_key,
)
from tests.support.command import Ended, lunapass
from tests.support.stamp import stamped_jpeg

ROOT = Path(__file__).parents[2]
START = 1_750_000_000.0
TASK = """
from pathlib import Path

def run(film):
    with Path("ran").open("a") as log:
        log.write(film.session + "\\n")

def fail(film):
    raise RuntimeError("the archive is full")

def moody(film):
    if not Path("repaired").exists():
        raise RuntimeError("the archive is full")

def slow(film):
    import time
    time.sleep(0.3)
    run(film)
"""


def status_of(number: int, last: int) -> dict[str, Any]:
    """Return the answer to a frame; the last one passes."""
    rect = {"x": 100 + number, "y": 80, "width": 200, "height": 240}
    return {
        "isOk": number == last,
        "errors": [] if number == last else [3, 12],
        "details": {"faceFramePosition": {"faceRect": rect}},
    }


def session_frames(count: int, *, pause: float = 0.2, person: int = 1) -> list[StoredFrame]:
    """Return frames of a session, at slightly uneven times."""
    return [
        StoredFrame(
            number + 1,
            START + number * pause + (0.013 if number % 3 == 1 else 0.0),
            stamped_jpeg(person, number),
            status_of(number, count - 1),
        )
        for number in range(count)
    ]


def store(redis: Redis, session: str, frames: list[StoredFrame]) -> None:
    """Write a session like VideoRedis."""
    for frame in frames:
        redis.xadd(frames_key(session), encode_frame(frame), id=frame.entry_id)  # type: ignore[arg-type]
    last = frames[-1].at if frames else START
    meta = SessionMeta(START, last, True, [], len(frames), len(frames), 0, "0.1.0")
    redis.hset(meta_key(session), mapping=encode_meta(meta))  # type: ignore[arg-type]


def enqueue(redis: Redis, session: str, task: str = "task.run", queue: str = "default") -> Job:
    """Put a session's job into a queue like VideoRedis."""
    return Queue(queue, connection=redis, serializer=JSONSerializer).enqueue(
        JOB_FUNCTION,
        kwargs={"session": session, "task": task},
        job_id=job_id(session),
        result_ttl=500,
        failure_ttl=3600,
    )


@dataclass
class Workshop:
    """A folder with a worker's configuration, and the workers that use it."""

    folder: Path
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def config(self) -> Path:
        return self.folder / "video.toml"

    @property
    def videos(self) -> Path:
        return self.folder / "videos"

    def start(self) -> subprocess.Popen[bytes]:
        """Start one worker."""
        with (self.folder / "log").open("ab") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "lunapass", "video", "--config", str(self.config)],
                cwd=self.folder,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stderr=log,
            )
        self.workers.append(worker)
        return worker

    def horse(self, worker: subprocess.Popen[bytes]) -> int | None:
        """Return the process id of the job that a worker is running."""
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text()
            for pid in map(int, children.split()):
                if "Processing" in Path(f"/proc/{pid}/cmdline").read_text():
                    return pid
        return None

    def finished(self) -> set[str]:
        """Return sessions whose video and side file exist."""
        return {file.stem for file in self.videos.glob("*.json")}

    def ran(self) -> list[str]:
        """Return sessions for which the task ran, in order."""
        log = self.folder / "ran"
        return log.read_text().split() if log.exists() else []

    def lunapass(self, *arguments: str, **variables: str) -> Ended:
        """Run ``lunapass video`` with arguments and environment variables."""
        return lunapass(
            "video", "--config", self.config, *arguments, folder=self.folder, **variables
        )

    def refused(self, **variables: str) -> subprocess.CompletedProcess[str]:
        """Start a worker that is expected to end at once, in a process of its own."""
        return subprocess.run(
            [sys.executable, "-m", "lunapass", "video", "--config", str(self.config)],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
            capture_output=True,
            text=True,
            timeout=60,
        )

    def summary(self, session: str) -> dict[str, Any]:
        """Return a session's side file."""
        summary: dict[str, Any] = json.loads((self.videos / f"{session}.json").read_text())
        return summary

    def stop(self) -> None:
        for worker in self.workers:
            worker.send_signal(signal.SIGTERM)
        for worker in self.workers:
            try:
                worker.wait(20)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()
        sys.stdout.write((self.folder / "log").read_text())


@contextlib.contextmanager
def workshop(folder: Path, redis_url: str, settings: str = "") -> Iterator[Workshop]:
    """Set up a folder for workers; started workers end with the block."""
    (folder / "task.py").write_text(TASK)
    (folder / "log").touch()
    (folder / "video.toml").write_text(
        f"""
VIDEO.directory = "videos"
VIDEO.preset = "ultrafast"
WORKER.task = "task.py"
WORKER.leaseSeconds = 3
REDIS.connectionString = "{redis_url}"
{settings}
"""
    )
    shop = Workshop(folder)
    try:
        yield shop
    finally:
        shop.stop()
