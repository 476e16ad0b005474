"""Callbacks against a real HTTP server: signed, repeated until delivered, never sent again."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from aggregator.sinks import answer_folder, couriers
from aggregator.sinks.callbacks import Callbacks
from shared.config.plugins import CallbacksArgs
from tests.support.events import ended, info, judged
from tests.support.ports import free_port
from tests.support.receiver import Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    started = Receiver()
    yield started
    started.close()


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(couriers, "FIRST_RETRY_SECONDS", 0.02)


def sink(folder: Path, port: int, **args: Any) -> Callbacks:
    url = f"http://127.0.0.1:{port}/hook"
    return Callbacks(CallbacksArgs(url=url, key=SecretStr("k" * 32), queuePath=str(folder), **args))


def settle(plugin: Callbacks) -> None:
    deadline = time.monotonic() + 60
    while plugin.waiting:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_answer_is_posted_once_and_signed(tmp_path: Path, receiver: Receiver) -> None:
    """The receiver gets the client's answer with a signature it can verify; frames are not sent."""
    plugin = sink(tmp_path, receiver.port)
    plugin.write(judged(1, 1))
    plugin.write(ended(1, 3))
    settle(plugin)
    ((headers, body),) = receiver.got
    digest = hmac.new(b"k" * 32, body, hashlib.sha256).hexdigest()
    assert headers["X-Signature"] == f"sha256={digest}"
    assert headers["Idempotency-Key"] == info(1).session
    sent = json.loads(body)
    assert sent == {
        "session": info(1).session,
        "at": 2000.0,
        "isOk": True,
        "jwt": "a.b.c",
        "errors": [],
    }
    plugin.close()


def test_a_delivered_answer_is_not_sent_again(tmp_path: Path, receiver: Receiver) -> None:
    """Neither the same process nor the next one repeats it."""
    for _ in range(2):
        plugin = sink(tmp_path, receiver.port)
        for _ in range(2):
            plugin.write(ended(1, 3))
            settle(plugin)
        plugin.close()
    assert len(receiver.got) == 1
    assert all(b"a.b.c" not in file.read_bytes() for file in tmp_path.rglob("*.done"))


@pytest.mark.parametrize("status", [500, 404, 302])
def test_any_status_but_2xx_is_retried(tmp_path: Path, receiver: Receiver, status: int) -> None:
    """An answer counts as delivered only once the receiver confirms it."""
    receiver.statuses = [status, status]
    plugin = sink(tmp_path, receiver.port)
    plugin.write(ended(1, 3))
    settle(plugin)
    assert len({body for _, body in receiver.got}) == 1
    assert len(receiver.got) == 3
    assert not plugin.disabled
    plugin.close()


def test_sessions_without_a_frame_are_not_reported(tmp_path: Path, receiver: Receiver) -> None:
    """A client that connects and sends nothing readable causes no request."""
    plugin = sink(tmp_path, receiver.port)
    plugin.write(ended(1, 0, accepted=False))
    plugin.write(ended(2, 1, accepted=False))
    settle(plugin)
    assert receiver.sessions == [info(2).session]
    plugin.close()


def test_sessions_without_a_frame_are_reported_on_request(
    tmp_path: Path, receiver: Receiver
) -> None:
    """With ``withoutFrames = 1`` every session is reported."""
    plugin = sink(tmp_path, receiver.port, withoutFrames=1)
    plugin.write(ended(1, 0, accepted=False))
    settle(plugin)
    assert receiver.sessions == [info(1).session]
    plugin.close()


@pytest.mark.parametrize("location", ["//xn--", "http://]/", "http://:80a", "http://127.0.0.1:1/"])
def test_no_response_stops_the_delivery(tmp_path: Path, receiver: Receiver, location: str) -> None:
    """A receiver that redirects, even to an invalid address, is itself asked again."""
    receiver.statuses, receiver.location = [302], location
    plugin = sink(tmp_path, receiver.port)
    plugin.write(ended(1, 3))
    settle(plugin)
    assert len(receiver.got) == 2
    assert not plugin.disabled
    plugin.close()


def test_answers_survive_the_process(tmp_path: Path) -> None:
    """The next process sends what no receiver confirmed."""
    port = free_port()
    plugin = sink(tmp_path, port)
    for number in range(5):
        plugin.write(ended(number, 3))
    plugin.close()
    assert plugin.waiting > 0
    receiver = Receiver(port)
    try:
        following = sink(tmp_path, port)
        settle(following)
        assert len({headers["Idempotency-Key"] for headers, _ in receiver.got}) == 5
        assert len(receiver.got) == 5
        following.close()
    finally:
        receiver.close()


def test_attempts_are_limited(tmp_path: Path, receiver: Receiver) -> None:
    """After the last attempt the answer is dropped and counted, and its file is removed."""
    receiver.statuses = [500] * 100
    plugin = sink(tmp_path, receiver.port, retries=2)
    plugin.write(ended(1, 3))
    settle(plugin)
    assert (len(receiver.got), plugin.dropped) == (3, 1)
    assert list(tmp_path.rglob("*.json")) == []
    plugin.close()


def test_the_queue_is_bounded(tmp_path: Path) -> None:
    """Answers that do not fit are dropped and counted; queued ones stay."""
    plugin = sink(tmp_path, free_port(), queueBytes=300)
    for number in range(10):
        plugin.write(ended(number, 3))
    kept = list(tmp_path.rglob("*.json"))
    assert len(kept) + plugin.dropped == 10
    assert sum(file.stat().st_size for file in kept) <= 300
    assert kept
    plugin.close()


def test_refused_sessions_leave_room_for_accepted_ones(tmp_path: Path) -> None:
    """However many refused sessions wait, they fill at most half of the queue."""
    plugin = sink(tmp_path, free_port(), queueBytes=2000)
    for number in range(100):
        plugin.write(ended(number, 3, accepted=False))
    refused = plugin.dropped
    for number in range(100, 105):
        plugin.write(ended(number, 3))
    assert 80 < refused < 100
    assert plugin.dropped == refused
    plugin.close()


def test_an_unresponsive_receiver_delays_no_session(tmp_path: Path) -> None:
    """Storing an answer does not wait for the delivery of another."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        plugin = sink(tmp_path, silent.getsockname()[1], timeout=1)
        for number in range(100):
            plugin.write(ended(number, 3))
        assert len(list(tmp_path.rglob("*.json"))) == 100
        plugin.close()


def test_an_answer_that_cannot_be_removed_is_reported(
    tmp_path: Path,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It contains a best shot, and the next process would post it again."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(answer_folder.os, "truncate", full)  # type: ignore[attr-defined]
    plugin = sink(tmp_path, receiver.port)
    plugin.write(ended(1, 3))
    settle(plugin)
    plugin.close()
    assert "No space left on device" in caplog.text
