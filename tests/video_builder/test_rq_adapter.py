"""Each use of RQ's internals works as the adapter expects.

A new version of RQ that fails here needs a new adapter, and nothing else.
"""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rq import Callback, Queue
from rq.exceptions import DequeueTimeout
from rq.intermediate_queue import IntermediateQueue
from rq.serializers import JSONSerializer

from tests.support.bounds import assert_next_major_is_excluded
from tests.support.redis_server import RedisServer, running_redis
from video_builder import rq_adapter as adapter
from video_builder.rq_adapter import AdaptedJob, AdaptedQueue, AdaptedWorker

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "video_builder"
HOOKS: dict[type, set[str]] = {
    AdaptedJob: {
        "failure_callback",
        "func",
        "restore",
        "send_webhooks",
        "stopped_callback",
        "success_callback",
    },
    AdaptedQueue: {"acquire_maintenance_lock", "dequeue_any"},
    AdaptedWorker: {
        "__init__",
        "_install_signal_handlers",
        "dequeue_timeout",
        "get_heartbeat_ttl",
        "handle_warm_shutdown_request",
        "heartbeat",
        "maintain_heartbeats",
        "max_connection_wait_time",
        "prepare_job_execution",
        "procline",
        "queue_class",
        "stop_scheduler",
    },
}
"""The methods that each class overrides."""


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with running_redis() as running:
        yield running


def test_rq_has_an_upper_bound() -> None:
    """Its next major version is not installed before this file is checked."""
    assert_next_major_is_excluded("rq")


@pytest.mark.parametrize("adapted", HOOKS, ids=lambda kind: kind.__name__)
def test_each_hook_exists_in_rq(adapted: type) -> None:
    """RQ has each listed method with the same parameters, and the classes override no others."""
    (base,) = adapted.__bases__
    overridden = {
        name for name in vars(adapted) if not name.startswith("__") and hasattr(base, name)
    }
    assert overridden == HOOKS[adapted] - {"__init__"}
    for name in HOOKS[adapted]:
        ours, theirs = getattr(adapted, name), getattr(base, name)
        if not inspect.isroutine(theirs):
            continue
        parameters = inspect.signature(ours).parameters.values()
        if not any(each.kind is each.VAR_KEYWORD for each in parameters) and name != "__init__":
            assert [each.name for each in parameters] == list(inspect.signature(theirs).parameters)


def test_only_the_adapter_derives_from_rq() -> None:
    """No other module of the video worker imports classes that it would override."""
    found = [
        f"{file.name}: {base}"
        for file in PACKAGE.glob("*.py")
        if file.name != Path(adapter.__file__).name
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ClassDef)
        for base in map(ast.unparse, node.bases)
        if base in ("Job", "Queue", "Worker")
    ]
    assert found == []


RUNS_A_WORKER = """
import contextlib, os, signal, sys
from redis import Redis
from rq.exceptions import StopRequested
from video_builder.rq_adapter import AdaptedJob, AdaptedWorker

def say(*words):
    # One write, since other threads and the process of the job write to the same pipe.
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

class RecordedJob(AdaptedJob):
    def function(self):
        return self._run

    def on_restored(self):
        self.limit(7, [1, 2])

    def _run(self, **kwargs):
        lease = self.connection.ttl("rq:worker:" + self.worker_name)
        say("runs", kwargs, self.timeout, self.retries_left, 0 < lease <= 30)

class RecordedWorker(AdaptedWorker):
    def on_ready(self):
        handled = signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
        say("ready", self.connection.exists(self.key), handled)

    def on_beat(self):
        say("beat")

    def on_stopping(self):
        say("stopping")

    def perform_job(self, job, queue, execution):
        waiting = self.connection.lrange(queue.intermediate_queue_key, 0, -1)
        say("takes", waiting)
        return super().perform_job(job, queue, execution)

    def procline(self, message):
        super().procline(message)
        say("named")

redis = Redis.from_url(sys.argv[1])
worker = RecordedWorker(["urgent", "default"], redis, RecordedJob, 30)
worker.work(burst=True, logging_level="ERROR", with_scheduler=True)
say("worked", worker.was_stopped, worker.worker_ttl, worker.dequeue_timeout)
say("scheduler", worker.scheduler._process)

worker = RecordedWorker(["default"], redis, RecordedJob, 30)
worker.bootstrap("ERROR")
redis.delete(worker.key)
worker.heartbeat()
say("registered", redis.exists(worker.key), worker.queues[0].living_workers == [worker.name])
with contextlib.suppress(StopRequested):
    worker.request_stop(15, None)
worker.abandon()
say("stopped", worker.was_stopped, worker.horse_pid)
"""


def test_rq_calls_the_hooks_while_it_works(server: RedisServer) -> None:
    """A ready worker with heartbeats takes a job of the second queue, with its limits.

    The job names a callback that nothing imports. It is in the second list until it starts. A
    worker whose key is lost registers again, and one that is asked to stop knows it.
    """
    with server.client() as redis:
        queue = Queue("default", connection=redis, serializer=JSONSerializer)
        job = queue.enqueue(
            "any.name", kwargs={"x": 1}, on_success=Callback("none.such"), result_ttl=500
        )
        command = [sys.executable, "-c", RUNS_A_WORKER, server.url]
        ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
        lines = ran.stdout.splitlines()
        assert "ready 1 True" in lines, ran.stderr
        assert {"beat", "named"} <= set(lines)
        assert f"takes [b'{job.id}']" in lines
        assert "runs {'x': 1} 7 2 True" in lines
        assert f"worked False 30 {30 // adapter.RENEWALS}" in lines
        assert "scheduler None" in lines
        assert "registered 1 True" in lines
        assert lines[-2:] == ["stopping", "stopped True 0"]
        assert job.get_status() == "finished"
        assert IntermediateQueue(queue.key, connection=redis).get_job_ids() == []


def test_a_job_of_several_queues_is_moved(server: RedisServer) -> None:
    """RQ alone pops it, which is the reason for the override.

    Without a job the wait ends as RQ's does.
    """
    with server.client() as redis:
        mine = [AdaptedQueue(name, connection=redis) for name in ("moved-1", "moved-2")]
        theirs = [Queue(name, connection=redis) for name in ("popped-1", "popped-2")]
        for queues, kind, stands in ((mine, AdaptedQueue, 1), (theirs, Queue, 0)):
            job = queues[1].enqueue("any.name")
            taken = kind.dequeue_any(queues, None, redis)
            assert taken is not None
            assert taken[0].id == job.id
            second = IntermediateQueue(queues[1].key, connection=redis)
            assert second.get_job_ids() == [job.id] * stands
        with pytest.raises(DequeueTimeout):
            AdaptedQueue.dequeue_any(mine, 0, redis)
        assert AdaptedQueue.dequeue_any(mine, None, redis) is None


def test_the_lock_of_the_maintenance_expires_soon(server: RedisServer) -> None:
    """RQ's own method stores it under the same key, for longer."""
    with server.client() as redis:
        queue = AdaptedQueue("tidy", connection=redis)
        assert queue.acquire_maintenance_lock()
        assert 0 < redis.ttl(queue.registry_cleaning_key) <= adapter.LOCK_SECONDS
        assert not Queue("tidy", connection=redis).acquire_maintenance_lock()
        queue.release_maintenance_lock()
        assert Queue("tidy", connection=redis).acquire_maintenance_lock()


def test_attempts_are_removed_from_redis(server: RedisServer) -> None:
    """RQ reads them from the job's hash."""
    with server.client() as redis:
        job = AdaptedJob.create("any.name", connection=redis)
        job.give_up()
        job.save()
        assert AdaptedJob.fetch(job.id, connection=redis).retries_left == 0
        job.reset_attempts()
        assert AdaptedJob.fetch(job.id, connection=redis).retries_left is None
