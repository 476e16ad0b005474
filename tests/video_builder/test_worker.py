"""Workers on a real Redis: no job is lost, and no foreign code is run."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import zlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from rq import Callback, Queue
from rq.job import Job
from rq.serializers import JSONSerializer

from shared.config.video import VideoSection
from shared.video_store import JOB_FUNCTION, frames_key, job_id
from tests.support.redis_server import RedisServer, running_redis
from tests.support.service import ROOT
from tests.support.video import Workshop, enqueue, session_frames, store, workshop
from tests.support.waiting import wait_for
from video_builder.film import make
from video_builder.task import Tasks


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with running_redis(user="lunapass-video") as server:
        yield server


@pytest.fixture(scope="module")
def shop(redis: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """One worker on two queues, which retries a failed job once, at once."""
    settings = 'WORKER.retryPauses = [0]\nREDIS.queueNames = ["urgent", "default"]'
    with workshop(tmp_path_factory.mktemp("shop"), redis.url, settings) as started:
        started.start()
        yield started


def failed(shop: Workshop) -> dict[str, str]:
    """Return the reasons of the failed sessions."""
    listed = json.loads(shop.lunapass("failed", "list", "--json").stdout)
    return {job["session"]: job["reason"] for job in listed}


def test_a_session_becomes_a_video(redis: RedisServer, shop: Workshop) -> None:
    """Video and side file exist, the task ran, the result is stored, the frames will expire."""
    store(redis.client(), "plain", session_frames(8))
    job = enqueue(redis.client(), "plain", queue="urgent")
    wait_for(lambda: job.get_status() == "finished")
    assert (shop.videos / "plain.mp4").exists()
    assert shop.ran().count("plain") == 1
    result = job.return_value()
    assert result is not None
    assert result["frames"] == 8
    assert result["sha256"] == shop.summary("plain")["video"]["sha256"]
    assert 0 < redis.client().ttl(frames_key("plain")) <= 600


def test_progress_is_in_the_job(redis: RedisServer, shop: Workshop) -> None:
    """The job's metadata has stage and numbers."""
    store(redis.client(), "noted", session_frames(8))
    job = enqueue(redis.client(), "noted")
    wait_for(lambda: job.get_status() == "finished")
    assert job.get_meta() == {"stage": "task", "done": 8, "total": 8}


def test_a_delayed_job_is_run_in_time(redis: RedisServer, shop: Workshop) -> None:
    """RQ's scheduler runs in the worker: a session without best shot gets its video."""
    store(redis.client(), "later", session_frames(4))
    queue = Queue("default", connection=redis.client(), serializer=JSONSerializer)
    kwargs = {"session": "later", "task": "task.run"}
    queue.enqueue_in(timedelta(seconds=1), JOB_FUNCTION, kwargs=kwargs, job_id=job_id("later"))
    wait_for(lambda: "later" in shop.finished())


def test_a_session_without_frames_fails_at_once(redis: RedisServer, shop: Workshop) -> None:
    """A retry is useless, and the reason is clear."""
    job = enqueue(redis.client(), "empty")
    wait_for(lambda: job.get_status() == "failed")
    assert "session empty has no frames in Redis" in failed(shop)["empty"]
    assert redis.client().hget(job.key, "retries_left") == b"0"


def test_a_failing_task_is_reported_and_can_be_retried(redis: RedisServer, shop: Workshop) -> None:
    """Its error is readable, the frames stay, and after a fix a retry succeeds."""
    store(redis.client(), "moody", session_frames(4))
    redis.client().expire(frames_key("moody"), 100)
    job = enqueue(redis.client(), "moody", task="task.moody")
    wait_for(lambda: job.get_status() == "failed")
    assert failed(shop)["moody"] == "RuntimeError: the archive is full"
    shown = shop.lunapass("failed", "show", "moody").stdout
    assert 'raise RuntimeError("the archive is full")' in shown
    assert 3500 < redis.client().ttl(frames_key("moody")) <= 3600
    (shop.folder / "repaired").touch()
    assert "1 sessions are in the queue again" in shop.lunapass("failed", "retry", "moody").stdout
    wait_for(lambda: job.get_status() == "finished")
    assert "moody" not in failed(shop)
    assert shop.lunapass("failed", "retry", "moody").returncode == 1


def test_status_counts(redis: RedisServer, shop: Workshop) -> None:
    """Queues, workers and rate: this test's own session is finished, and none is waiting."""
    store(redis.client(), "counted", session_frames(4))
    job = enqueue(redis.client(), "counted")
    wait_for(lambda: job.get_status() == "finished")
    urgent, default = json.loads(shop.lunapass("status", "--json").stdout)
    assert (urgent["name"], default["name"]) == ("urgent", "default")
    assert len(default["workers"]) == 1
    assert default["waiting"] == 0
    assert default["finished"] >= 1
    assert default["perMinute"] > 0
    assert "videos a minute" in shop.lunapass("status").stdout


def ended(redis: RedisServer, job: Job) -> bool:
    return bool(redis.client().hget(job.key, "status") == b"failed")


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("os.mkdir", {"path": "pwned"}),
        ("video_builder.film.make", {}),
        ("lunapass_video_task.run", {"film": None}),
        (JOB_FUNCTION, {"session": "../../pwned", "task": "task.run"}),
        (JOB_FUNCTION, {"session": "x", "task": "os.mkdir"}),
        (JOB_FUNCTION, {"session": "x", "task": "task.Path"}),
        (JOB_FUNCTION, {"session": "x", "task": "task.__loader__.exec_module"}),
        (JOB_FUNCTION, {"session": "x", "task": ["task.run"]}),
        (JOB_FUNCTION, {"session": "x", "task": "task.run", "path": "pwned"}),
    ],
)
def test_no_foreign_code_is_run(
    redis: RedisServer, shop: Workshop, function: str, arguments: dict[str, object]
) -> None:
    """A client that writes to Redis can only choose among the user's own tasks."""
    queue = Queue("default", connection=redis.client(), serializer=JSONSerializer)
    job = queue.enqueue(
        function,
        kwargs=arguments,
        on_failure=Callback("os.system"),
        on_success=Callback("os.system"),
    )
    wait_for(lambda: ended(redis, job))
    assert not list(shop.folder.rglob("pwned"))
    log = (shop.folder / "log").read_text()
    assert "error while executing failure callback" not in log
    assert shop.workers[0].poll() is None


class Bomb:
    def __reduce__(self) -> object:
        return os.mkdir, ("pwned",)


def test_a_pickle_is_not_loaded(redis: RedisServer, shop: Workshop) -> None:
    """Job data that would run code when unpickled is just an error."""
    job = enqueue(redis.client(), "pickled")
    wait_for(lambda: ended(redis, job))
    bomb = zlib.compress(pickle.dumps(Bomb()))
    redis.client().hset(job.key, mapping={"data": bomb, "meta": pickle.dumps(Bomb())})
    assert shop.lunapass("failed", "retry", "pickled").returncode == 0
    wait_for(lambda: ended(redis, job))
    assert not list(shop.folder.rglob("pwned"))
    assert shop.workers[0].poll() is None


def test_a_worker_that_is_asked_to_stop_finishes_its_job(
    redis: RedisServer, tmp_path: Path
) -> None:
    """SIGTERM during a job: the video is made, then the worker stops."""
    with workshop(tmp_path, redis.url, 'REDIS.queueNames = ["stop"]') as shop:
        worker = shop.start()
        store(redis.client(), "last", session_frames(8))
        enqueue(redis.client(), "last", task="task.slow", queue="stop")
        wait_for(lambda: shop.horse(worker))
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(60) == 0
        assert shop.ran() == ["last"]


STOPS_A_SCHEDULER = """
import multiprocessing, signal, sys, time
from types import SimpleNamespace
from video_builder import rq_adapter as module

module.SCHEDULER_SECONDS = 0.3

def lose_one(*_):
    signal.signal(signal.SIGTERM, signal.SIG_DFL)

def scheduler():
    handlers = {"loses one": lose_one, "ignores all": signal.SIG_IGN}
    signal.signal(signal.SIGTERM, handlers[sys.argv[1]])
    ready.set()
    while True:
        time.sleep(0.1)

fork = multiprocessing.get_context("fork")
ready, process = fork.Event(), fork.Process(target=scheduler, daemon=True)
process.start()
ready.wait()
worker = module.AdaptedWorker.__new__(module.AdaptedWorker)
worker.scheduler = SimpleNamespace(_process=process)
worker.stop_scheduler()
print(process.exitcode)
"""


@pytest.mark.parametrize(
    ("scheduler", "last"), [("loses one", signal.SIGTERM), ("ignores all", signal.SIGKILL)]
)
def test_a_scheduler_that_misses_its_signal_ends(scheduler: str, last: signal.Signals) -> None:
    """A worker that is stopped just after forking its scheduler also stops."""
    command = [sys.executable, "-c", STOPS_A_SCHEDULER, scheduler]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ended.stdout.split() == [str(-last)], ended.stderr


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        ("VIDEO__DIRECTORY", "/proc/videos", "[VIDEO] directory: /proc/videos is not writable"),
        ("WORKER__TASK", "none.py", "none.py is not a Python file; give the path of one"),
        ("REDIS__CONNECTIONSTRING", "redis://127.0.0.1:x", "address of Redis or a setting in it"),
        ("REDIS__CONNECTIONSTRING", "redis://nobody:wrong@{}", "Redis refuses this worker"),
    ],
)
def test_an_error_at_start_up_is_one_line(
    redis: RedisServer, shop: Workshop, key: str, value: str, fault: str
) -> None:
    """The worker does not start, and says what to correct."""
    value = value.format(f"127.0.0.1:{redis.port}")
    ran = shop.refused(**{f"LUNAPASSVIDEO__{key}": value})
    assert ran.returncode == 2
    assert fault in ran.stderr
    assert ran.stderr.count("\n") == 1


def test_a_task_file_that_cannot_run_is_reported(shop: Workshop) -> None:
    """The check runs the task file and names its functions or its error."""
    assert "valid; tasks: task.fail, task.moody, task.run" in shop.lunapass("check").stdout
    (shop.folder / "broken.py").write_text("import nonsense")
    ran = shop.lunapass("check", LUNAPASSVIDEO__WORKER__TASK="broken.py")
    assert ran.returncode == 2
    assert "No module named 'nonsense'" in ran.stderr


def test_the_example_task_is_in_the_package(shop: Workshop) -> None:
    """Installations without sources have the same file."""
    example = ROOT / "config" / "lunapassvideo.task.py"
    assert shop.lunapass("task").stdout == example.read_text(), "run: make docs-config"


def test_the_example_task_archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example task moves both files, and a second call is harmless."""
    tasks = Tasks(ROOT / "config" / "lunapassvideo.task.py")
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        film = make("abcd", None, lambda: session_frames(3), VideoSection(directory="videos"))
        tasks.find("task.run")(film)
        assert sorted(os.listdir("ARCHIVE/ab")) == ["abcd.json", "abcd.mp4"]
        assert os.listdir("videos") == []


def test_a_worker_without_a_right_does_not_start(tmp_path: Path) -> None:
    """It says which right, and how to grant it."""
    with running_redis() as server:
        server.allow("lunapass-video")
        with server.client() as admin:
            admin.execute_command("ACL", "SETUSER", "lunapass-video", "-xrange")
        with workshop(tmp_path, server.url_of("lunapass-video")) as shop:
            ended = shop.refused()
    assert ended.returncode != 0
    assert "grant them: ACL SETUSER lunapass-video +xrange" in ended.stderr
