"""A failover to a lagging replica: a running gateway writes again what the new master lacks."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path

from gateway.sessions.sealing import Stored
from gateway.state.identity import digest
from shared.config.service import Config
from tests.support.ports import free_port
from tests.support.redis_server import RedisServer, running_redis
from tests.support.stored_gateways import ID, TOKEN, Gateway, session
from tests.support.waiting import until

REFUSED = '{"isOk": false}'


@contextlib.asynccontextmanager
async def sentinel(master: RedisServer, folder: Path) -> AsyncIterator[str]:
    """Run one sentinel, which alone decides on a failover; yield its address."""
    port = free_port()
    settings = folder / "sentinel.conf"
    settings.write_text(
        f"port {port}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 {master.port} 1\n"
        "sentinel down-after-milliseconds main 300\nsentinel failover-timeout main 3000\n"
    )
    process = await asyncio.create_subprocess_exec(
        "redis-server", str(settings), "--sentinel", stdout=subprocess.DEVNULL
    )
    try:
        yield f"redis+sentinel://127.0.0.1:{port}/main"
    finally:
        process.kill()
        await process.wait()


def gateway(address: str, folder: Path) -> Gateway:
    store = {"connectionString": address, "timeout": 0.4, "required": True}
    settings = {"SESSION_STORE": store, "TRANSPORT": {"runtimeDirectory": str(folder)}}
    return Gateway(Config.model_validate(settings))


def frames_at(server: RedisServer) -> int:
    """Return the number of judged frames of the session on a server."""
    with server.client() as client:
        return int(client.llen(f"lunapass:session:{{{ID}}}:log"))


def stop_replication(master: RedisServer) -> None:
    """Disconnect the replica permanently, so that it lags from now on."""
    with master.client() as client:
        client.execute_command("ACL", "SETUSER", "default", "-psync", "-sync", "-replconf")
        client.execute_command("CLIENT", "KILL", "TYPE", "replica")


async def close(gateway: Gateway) -> None:
    """Close the store and the connections to the sentinels that redis-py leaves open."""
    await gateway.store.close()
    pool = gateway.store._redis.connection_pool
    for client in pool.sentinel_manager.sentinels:  # type: ignore[attr-defined]
        await client.aclose()


async def take(gateway: Gateway) -> Stored:
    """Request the session until it may be taken over."""
    deadline = time.monotonic() + 60
    while (stored := await gateway.store.take(ID, digest(TOKEN))) is None:
        assert time.monotonic() < deadline, "the session cannot be taken over"
        await asyncio.sleep(0.05)
    return stored


async def test_a_refusal_that_the_new_master_lacks_stands(tmp_path: Path) -> None:
    """Another gateway finds the verdict, although only the dead master had it."""
    with running_redis() as master, running_redis() as replica:
        with replica.client() as client:
            client.replicaof("127.0.0.1", str(master.port))
        async with sentinel(master, tmp_path) as address:
            owner, other = gateway(address, tmp_path / "a"), gateway(address, tmp_path / "b")
            try:
                assert await owner.write(session(1)) == "stored"
                await until(lambda: frames_at(replica) == 1)
                stop_replication(master)
                assert await owner.write(session(3, result=REFUSED)) == "stored"
                assert frames_at(replica) == 1
                master.kill()
                stored = await take(other)
                assert (len(stored.log), stored.result) == (3, REFUSED)
            finally:
                await close(owner)
                await close(other)
