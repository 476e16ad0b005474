"""Addresses of Redis: each kind reaches a real server, and a wrong one is told at once."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
from redis.exceptions import AuthenticationError, ConnectionError, TimeoutError

from shared.errors import ConfigError
from shared.redis_connection import connect
from tests.support.ports import free_port
from tests.support.redis_server import running_redis


def test_tcp_password_and_unix_socket() -> None:
    """The same server by port and by socket; without its password it answers nobody."""
    with running_redis(password="s3cret/@") as server:
        for address in (
            f"redis://:s3cret%2F%40@127.0.0.1:{server.port}/3",
            f"unix://:s3cret%2F%40@{server.socket}?db=3",
        ):
            with connect(address, timeout=5) as client:
                assert client.ping()
                client.incr("seen")
                assert client.connection_pool.connection_kwargs["db"] == 3
        stranger = connect(f"redis://127.0.0.1:{server.port}", timeout=5)
        with stranger, pytest.raises(AuthenticationError):
            stranger.ping()


def test_sentinels_name_the_master(tmp_path: Path) -> None:
    """A dead sentinel is passed over; the living one names the master."""
    with running_redis(password="inner") as server:
        port = free_port()
        (tmp_path / "sentinel.conf").write_text(
            f"port {port}\nbind 127.0.0.1\nrequirepass outer\n"
            f"sentinel monitor main 127.0.0.1 {server.port} 1\nsentinel auth-pass main inner\n"
        )
        process = subprocess.Popen(
            ["redis-server", str(tmp_path / "sentinel.conf"), "--sentinel"],
            stdout=subprocess.DEVNULL,
        )
        try:
            address = f"127.0.0.1:{free_port()},127.0.0.1:{port}/main/2?sentinel_password=outer"
            with connect(f"redis+sentinel://:inner@{address}", timeout=5) as client:
                _until_reachable(client)
                assert client.connection_pool.connection_kwargs["db"] == 2
                assert client.info("server")["tcp_port"] == server.port
        finally:
            process.kill()
            process.wait()


def _until_reachable(client: object) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            client.ping()  # type: ignore[attr-defined]
            return
        except (ConnectionError, TimeoutError):
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1",
        "redis://127.0.0.1:port",
        "redis+sentinel://127.0.0.1:26379",
        "redis+sentinel:///main",
        "redis+sentinel://127.0.0.1:x/main",
        "redis+sentinel://127.0.0.1/main?unknown=1",
        "redis+sentinel://127.0.0.1/main/zero",
    ],
)
def test_a_wrong_address_is_told_without_its_text(address: str) -> None:
    """The text of an address may hold a password and is not repeated."""
    with pytest.raises(ConfigError) as caught:
        connect(address)
    assert address not in str(caught.value)
