"""Workers, their jobs and Redis can be killed at any moment: no video is lost or incomplete."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.support.ffmpeg import probe
from tests.support.redis_server import running_redis
from tests.support.video import Workshop, enqueue, session_frames, store, workshop
from tests.support.waiting import wait_for
from video_builder.output import PART

SESSIONS = [f"session-{number:02}" for number in range(20)]


def leftovers(folder: Path) -> list[str]:
    return [file.name for file in folder.glob(f".*{PART}")]


def frozen(shop: Workshop, worker: subprocess.Popen[bytes]) -> int:
    """Suspend a worker's job half-way, so that it can be killed; return its process id."""
    while True:
        wait_for(lambda: shop.horse(worker))
        if (horse := shop.horse(worker)) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(horse, signal.SIGSTOP)
                if shop.horse(worker) == horse:
                    return horse


def test_twenty_videos_survive_killed_processes(tmp_path: Path) -> None:
    """A worker and then a job's process are killed: 20 valid videos, no unfinished files."""
    with running_redis() as redis, workshop(tmp_path, redis.url, 'VIDEO.codec = "H264"') as shop:
        for session in SESSIONS:
            store(redis.client(), session, session_frames(20))
            enqueue(redis.client(), session, task="task.slow")
        first, second = shop.start(), shop.start()

        wait_for(lambda: len(shop.finished()) >= 3)
        horse = frozen(shop, first)
        first.kill()
        wait_for(lambda: not Path(f"/proc/{horse}").exists())

        wait_for(lambda: len(shop.finished()) >= 8)
        os.kill(frozen(shop, second), signal.SIGKILL)

        wait_for(lambda: shop.finished() == set(SESSIONS), 180)
        wait_for(lambda: set(shop.ran()) == set(SESSIONS))
        for session in SESSIONS:
            assert probe(shop.videos / f"{session}.mp4").frames == 20
        assert leftovers(shop.videos) == []


@pytest.mark.parametrize("loses_data", [False, True])
def test_a_job_survives_the_death_of_redis(tmp_path: Path, *, loses_data: bool) -> None:
    """With its data the job continues; without, the frames are lost.

    No unfinished files are left.
    """
    with running_redis() as redis, workshop(tmp_path, redis.url) as shop:
        worker = shop.start()
        store(redis.client(), "struck", session_frames(150))
        enqueue(redis.client(), "struck")
        wait_for(lambda: leftovers(shop.videos))
        horse = frozen(shop, worker)
        redis.kill()
        if loses_data:
            shutil.rmtree(redis.directory / "appendonlydir")
        redis.start()
        os.kill(horse, signal.SIGCONT)

        store(redis.client(), "next", session_frames(4))
        enqueue(redis.client(), "next")
        expected = {"next"} if loses_data else {"next", "struck"}
        wait_for(lambda: shop.finished() == expected)
        wait_for(lambda: not shop.horse(worker))
        assert leftovers(shop.videos) == []
        assert not loses_data or not (shop.videos / "struck.mp4").exists()
        for session in expected:
            assert probe(shop.videos / f"{session}.mp4").frames == (4 if session == "next" else 150)
        assert worker.poll() is None


def threads(worker: subprocess.Popen[bytes]) -> int:
    return len(list(Path(f"/proc/{worker.pid}/task").iterdir()))


def test_a_lost_redis_leaves_nothing_behind(tmp_path: Path) -> None:
    """After an outage a worker has no more threads than before."""
    with running_redis() as redis, workshop(tmp_path, redis.url) as shop:
        worker = shop.start()
        for session in ("before", "cut", "after"):
            store(redis.client(), session, session_frames(4))
            enqueue(redis.client(), session, task="task.slow")
            wait_for(lambda: shop.horse(worker))
            if session == "cut":
                redis.kill()
                wait_for(lambda: "Redis cannot be reached" in (tmp_path / "log").read_text())
                redis.start()
            elif session == "before":
                wait_for(lambda: "before" in shop.ran())
                usual = threads(worker)
        wait_for(lambda: "after" in shop.ran())
        assert threads(worker) == usual


def test_the_watchdog_is_notified_during_the_wait_for_redis(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not kill a worker that waits for Redis."""
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as watcher,
        workshop(tmp_path, "redis://127.0.0.1:9") as shop,
    ):
        watcher.bind(str(tmp_path / "notify"))
        watcher.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        shop.start()
        assert watcher.recv(100) == b"READY=1\nSTATUS=waiting for Redis"
        assert watcher.recv(100) == b"WATCHDOG=1"


def test_a_worker_waits_for_a_long_outage_of_redis(tmp_path: Path) -> None:
    """It continues as soon as Redis is back."""
    with running_redis() as redis, workshop(tmp_path, redis.url) as shop:
        worker = shop.start()
        wait_for(lambda: "ready" in (tmp_path / "log").read_text())
        redis.kill()
        wait_for(lambda: "could not connect" in (tmp_path / "log").read_text())
        redis.start()
        store(redis.client(), "after", session_frames(4))
        enqueue(redis.client(), "after")
        wait_for(lambda: "after" in shop.finished())
        assert worker.poll() is None
