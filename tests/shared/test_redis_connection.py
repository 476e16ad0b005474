"""Addresses of Redis: each kind reaches a real server, and an invalid one is reported at once."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from redis.exceptions import AuthenticationError, ConnectionError, RedisError, TimeoutError

from shared.errors import ConfigError
from shared.redis_connection import check_address, connect, connect_async
from tests.support.certificates import Authority
from tests.support.ports import free_port
from tests.support.redis_server import RedisServer, running_redis
from tests.support.waiting import until, wait_for


def test_tcp_password_and_unix_socket() -> None:
    """The same server is reached by port and by socket; without the password it refuses."""
    with running_redis(password="s3cret/@") as server:
        for address in (
            f"redis://:s3cret%2F%40@127.0.0.1:{server.port}/3",
            f"unix://:s3cret%2F%40@{server.socket}?db=3",
        ):
            with connect(address, timeout=60) as client:
                assert client.ping()
                client.incr("seen")
                assert client.connection_pool.connection_kwargs["db"] == 3
        stranger = connect(f"redis://127.0.0.1:{server.port}", timeout=60)
        with stranger, pytest.raises(AuthenticationError):
            stranger.ping()


async def test_tls(tmp_path: Path) -> None:
    """The server needs a certificate for its host from a trusted authority."""
    authority, other = Authority("Ours"), Authority("Another")
    files = authority.write(tmp_path, "127.0.0.1")
    other.write(tmp_path / "other", "127.0.0.1")
    tls = free_port()
    settings = ("--tls-port", str(tls), "--tls-cert-file", str(files.certificate))
    settings += ("--tls-key-file", str(files.key), "--tls-ca-cert-file", str(files.authority))
    client_files = f"&ssl_certfile={files.certificate}&ssl_keyfile={files.key}"
    with running_redis(*settings) as server:
        assert server.process is not None
        trusted = f"rediss://127.0.0.1:{tls}/0?ssl_ca_certs={files.authority}"
        with connect(trusted + client_files, timeout=60) as client:
            assert client.ping()
        async with connect_async(trusted + client_files, timeout=60) as client_:
            assert await client_.ping()
        with connect(trusted, timeout=60) as client, pytest.raises(ConnectionError):
            client.ping()  # the client has no certificate
        stranger = f"rediss://127.0.0.1:{tls}/0?ssl_ca_certs={tmp_path}/other/authority.pem"
        for address in (stranger + client_files, f"rediss://127.0.0.1:{tls}/0"):
            with (
                connect(address, timeout=60) as client,
                pytest.raises(ConnectionError, match="certificate verify failed"),
            ):
                client.ping()
        with (
            connect(trusted.replace("127.0.0.1", "localhost") + client_files, timeout=60) as client,
            pytest.raises(ConnectionError, match=r"[Hh]ostname mismatch"),
        ):
            client.ping()


def test_a_missing_tls_file_is_named() -> None:
    """This happens before any connection."""
    with pytest.raises(ConfigError, match=r"ssl_ca_certs=/nowhere/ca\.pem: No such file"):
        check_address("rediss://127.0.0.1/0?ssl_ca_certs=/nowhere/ca.pem")


@pytest.mark.parametrize(
    "address",
    [
        "redis://h?nonsense=1",
        "redis://h?ssl_cert_reqs=maybe",
        "rediss://h?ssl_cert_reqs=maybe",
        "redis://h/xyz",
        "redis://h/1/2",
        "unix:///a?db=x",
        "redis+sentinel://h/master?nonsense=1",
    ],
)
def test_unknown_settings_are_refused(address: str) -> None:
    """This happens before the start, not at the first request; a database has a number."""
    for use in (check_address, lambda address: connect_async(address, timeout=1)):
        with pytest.raises(ConfigError, match="setting in it is invalid"):
            use(address)


async def test_after_a_failover_the_new_master_is_used(tmp_path: Path) -> None:
    """A client that lost its master asks the sentinels again, and closes their connections."""
    with running_redis() as master, running_redis() as replica:
        with replica.client() as client:
            client.replicaof("127.0.0.1", str(master.port))
        port = free_port()
        (tmp_path / "sentinel.conf").write_text(
            f"port {port}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 {master.port} 1\n"
            "sentinel down-after-milliseconds main 300\nsentinel failover-timeout main 3000\n"
        )
        process = await asyncio.create_subprocess_exec(
            "redis-server",
            str(tmp_path / "sentinel.conf"),
            "--sentinel",
            stdout=subprocess.DEVNULL,
        )
        try:
            async with connect_async(f"redis+sentinel://127.0.0.1:{port}/main", timeout=2) as redis:
                await until_done(lambda: redis.set("seen", "before"))
                await until_done(lambda: replicated(replica))
                master.kill()
                await until_done(lambda: redis.set("seen", "after"))
                with replica.client() as client:
                    assert client.get("seen") == b"after"
                with connect(f"redis://127.0.0.1:{port}") as sentinel:
                    assert len(sentinel.client_list(_type="normal")) == 2
            with connect(f"redis://127.0.0.1:{port}") as sentinel:
                await until(lambda: len(sentinel.client_list(_type="normal")) == 1)
        finally:
            process.kill()
            await process.wait()


async def replicated(replica: RedisServer) -> None:
    with replica.client() as client:
        assert client.get("seen") == b"before"
        assert client.info("replication")["master_link_status"] == "up"


async def until_done(work: Callable[[], Awaitable[object]], seconds: float = 60.0) -> None:
    """Retry until it succeeds: sentinels take some time to agree."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            await work()
        except (RedisError, AssertionError):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        else:
            return


def test_sentinels_name_the_master(tmp_path: Path) -> None:
    """A dead sentinel is skipped; the live one names the master."""
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
            with connect(f"redis+sentinel://:inner@{address}", timeout=60) as client:
                _until_reachable(client)
                assert client.connection_pool.connection_kwargs["db"] == 2
                assert client.info("server")["tcp_port"] == server.port
                with connect(f"redis://:outer@127.0.0.1:{port}") as sentinel:
                    assert len(sentinel.client_list(_type="normal")) == 2
            with connect(f"redis://:outer@127.0.0.1:{port}") as sentinel:
                wait_for(lambda: len(sentinel.client_list(_type="normal")) == 1)
        finally:
            process.kill()
            process.wait()


def _until_reachable(client: object) -> None:
    deadline = time.monotonic() + 60
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
def test_a_wrong_address_is_reported_without_its_text(address: str) -> None:
    """The address may contain a password and is not repeated."""
    with pytest.raises(ConfigError) as caught:
        connect(address)
    assert address not in str(caught.value)
