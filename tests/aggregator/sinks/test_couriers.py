"""Couriers against slow, silent or hostile receivers: every attempt ends in time."""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aggregator.sinks import couriers
from aggregator.sinks.callbacks import Callbacks
from shared.config.plugins import CallbacksArgs
from tests.support.events import ended, info
from tests.support.receiver import Receiver, raw_receiver
from tests.support.waiting import wait_for


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(couriers, "FIRST_RETRY_SECONDS", 0.02)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    started = Receiver()
    yield started
    started.close()


def sink(folder: Path, port: int, timeout: float, scheme: str = "http") -> Callbacks:
    url = f"{scheme}://127.0.0.1:{port}/hook"
    return Callbacks(CallbacksArgs(url=url, queuePath=str(folder), timeout=timeout))


def drip(connection: socket.socket, pieces: Iterator[bytes]) -> None:
    for piece in pieces:
        connection.sendall(piece)
        time.sleep(0.05)


def drip_head(connection: socket.socket) -> None:
    """Send the head of a response byte by byte, without end."""
    connection.sendall(b"HTTP/1.1 204 No Content\r\nX-Long: ")
    drip(connection, itertools.repeat(b"x"))


def drip_interim_replies(connection: socket.socket) -> None:
    """Send interim responses until the connection is closed."""
    drip(connection, itertools.repeat(b"HTTP/1.1 100 Continue\r\n\r\n"))


def be_silent(connection: socket.socket) -> None:
    """Read, and never respond."""
    while connection.recv(65536):
        pass


@pytest.mark.parametrize(
    ("behave", "scheme"),
    [
        (drip_head, "http"),
        (drip_interim_replies, "http"),
        (be_silent, "http"),
        (be_silent, "https"),
    ],
    ids=["head", "interim", "silent", "tls"],
)
def test_an_attempt_ends_at_its_deadline(
    tmp_path: Path, behave: Callable[[socket.socket], None], scheme: str
) -> None:
    """Whatever the receiver delays, the answer is sent again after the deadline."""
    with raw_receiver(behave) as (port, connections):
        plugin = sink(tmp_path, port, 0.2, scheme)
        plugin.write(ended(1, 3))
        wait_for(lambda: len(connections) >= 2)
        plugin.close()


def test_the_body_of_a_response_is_not_read(tmp_path: Path) -> None:
    """A receiver with an endless response has the answer, and is disconnected."""
    sent = [0]

    def flood(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
        for _ in range(1000):
            connection.sendall(bytes(1_000_000))
            sent[0] += 1

    with raw_receiver(flood) as (port, connections):
        plugin = sink(tmp_path, port, 20)
        plugin.write(ended(1, 3))
        wait_for(lambda: plugin.waiting == 0)
        plugin.close()
    assert (len(connections), plugin.dropped) == (1, 0)
    assert sent[0] < 100


def test_redirects_are_not_followed(tmp_path: Path, receiver: Receiver) -> None:
    """The token goes only to the configured address."""
    other = Receiver()
    receiver.statuses, receiver.location = [307, 308], f"http://127.0.0.1:{other.port}/"
    plugin = sink(tmp_path, receiver.port, 20)
    plugin.write(ended(1, 3))
    wait_for(lambda: plugin.waiting == 0)
    plugin.close()
    other.close()
    assert (len(receiver.got), other.got) == (3, [])


@pytest.mark.parametrize("slow", [False, True], ids=["refused", "accepted"])
def test_slow_attempts_of_one_kind_leave_a_courier_to_the_other(
    tmp_path: Path, receiver: Receiver, slow: bool
) -> None:
    """A flood of refused sessions delays no accepted one, and vice versa."""
    receiver.holds = lambda body: body["isOk"] is slow
    plugin = sink(tmp_path, receiver.port, 600)  # longer than the test
    for number in range(20):
        plugin.write(ended(number, 3, accepted=slow))
    wait_for(lambda: len(receiver.got) == 3)
    for number in range(20, 25):
        plugin.write(ended(number, 3, accepted=not slow))
    others = {info(number).session for number in range(20, 25)}
    wait_for(lambda: others < set(receiver.sessions))
    assert len(receiver.got) == 8
    receiver.close()
    plugin.close()


def test_an_answer_waiting_for_a_retry_delays_no_other(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This includes answers of its own kind."""
    monkeypatch.setattr(couriers, "FIRST_RETRY_SECONDS", 600.0)
    receiver.statuses = [500] * 4
    plugin = sink(tmp_path, receiver.port, 20)
    for number in range(4):
        plugin.write(ended(number, 3))
    wait_for(lambda: len(receiver.got) == 4)
    plugin.write(ended(4, 3))
    wait_for(lambda: len(receiver.got) == 5)
    assert receiver.sessions[4] == info(4).session
    plugin.close()


def test_an_answer_in_flight_at_shutdown_is_sent_again(tmp_path: Path) -> None:
    """The next process sends what no receiver confirmed, accepted sessions first."""
    with raw_receiver(be_silent) as (port, connections):
        plugin = sink(tmp_path, port, 0.2)
        plugin.write(ended(1, 3, accepted=False))
        plugin.write(ended(2, 3))
        wait_for(lambda: len(connections) >= 2)
        plugin.close()
    receiver = Receiver(port)
    following = sink(tmp_path, port, 20)
    wait_for(lambda: following.waiting == 0)
    following.close()
    receiver.close()
    assert sorted(receiver.sessions) == [info(1).session, info(2).session]


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:9", "socks5://127.0.0.1:9"])
def test_no_proxy_of_the_environment_is_used(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    """It would get the signed answer. One that httpx does not support would stop all delivery."""
    for name in ("ALL_PROXY", "HTTP_PROXY", "all_proxy", "http_proxy"):
        monkeypatch.setenv(name, proxy)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    plugin = sink(tmp_path, receiver.port, 20)
    plugin.write(ended(1, 3))
    wait_for(lambda: len(receiver.got) == 1)
    plugin.close()


def test_a_failure_of_the_delivery_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The plugin's state and the log show it; answers are stored for the next process."""

    def broken(**options: object) -> None:
        raise RuntimeError("no client")

    monkeypatch.setattr("httpx.AsyncClient", broken)
    plugin = sink(tmp_path, 9, 20)
    wait_for(lambda: plugin.disabled)
    plugin.write(ended(1, 3))
    assert plugin.waiting > 0
    plugin.close()
    assert "callbacks are off" in caplog.text


def test_pauses_grow_up_to_a_limit() -> None:
    """No number of attempts exceeds the longest pause or overflows."""
    assert couriers.pause_after(1) <= couriers.FIRST_RETRY_SECONDS
    assert couriers.pause_after(100_000) <= couriers.MAX_RETRY_SECONDS
