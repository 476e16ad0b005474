"""A client continues at another machine: two hosts with a session store, one of them cut off."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from redis import Redis
from redis.exceptions import RedisError

from lunapass_client import Answer, Client
from shared.wire.protocol import CloseCode, Command
from tests.machines.machine import wait_until
from tests.machines.network import Host, Network, network
from tests.support.service import UNPACED, Service, running
from tests.support.stamp import stamped_jpeg

REDIS_PORT = 6379
TOKEN = "scrape-token-of-at-least-32-bytes"
LIMITS = f"{UNPACED}resumeSeconds = 4.0\n"


@dataclass
class Store:
    """A Redis on the switch, which a test may stop and start."""

    host: Host
    directory: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://{self.host.address}:{REDIS_PORT}"

    def start(self) -> None:
        with self.host.inside():
            command = ["redis-server", "--bind", self.host.address, "--port", str(REDIS_PORT)]
            command += ["--protected-mode", "no", "--save", "", "--dir", str(self.directory)]
            self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            wait_until(self.answers, "Redis")

    def answers(self) -> bool:
        with self.client() as client, contextlib.suppress(RedisError):
            return bool(client.ping())
        return False

    def client(self) -> Redis:
        return Redis.from_url(self.url, socket_timeout=2)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@dataclass
class Site:
    """Two hosts, each with a service, and the store between them."""

    network: Network
    services: list[Service]
    store: Store

    def url(self, number: int) -> str:
        return f"ws://{self.network.hosts[number].address}:{self.services[number].port}/ws"

    def client(self, number: int, earlier: Client | None = None) -> Client:
        """A client at a host; given an earlier one, it resumes that one's session there."""
        if earlier is None:
            return Client(self.url(number))
        return Client(
            self.url(number), session_id=earlier.session_id, resume_token=earlier.resume_token
        )

    def accepted(self, number: int) -> float:
        """Sessions that a host has accepted; those of an earlier test may still end meanwhile."""
        with self.network.hosts[number].inside():
            return self.services[number].metric('lunapass_sessions_total{outcome="accepted"}')

    def log(self, number: int) -> str:
        return (self.services[number].directory / "log").read_text()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with network(2) as net, contextlib.ExitStack() as stack:
        store = Store(net.switch, tmp_path_factory.mktemp("redis"))
        stack.callback(store.stop)
        store.start()
        services = []
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("LUNAPASS__LUNA_PASS__HOST", "0.0.0.0")
        patch.setenv("LUNAPASS__SESSION_STORE__CONNECTIONSTRING", store.url)
        patch.setenv("LUNAPASS__METRICS__TOKEN", TOKEN)
        for number, host in enumerate(net.hosts):
            settings = f"firstCell = {number}\n{LIMITS}"
            services.append(stack.enter_context(_at(host, settings)))
        yield Site(net, services, store)


@contextlib.contextmanager
def _at(host: Host, settings: str) -> Iterator[Service]:
    """A service on a host."""
    with contextlib.ExitStack() as stack:
        with host.inside():
            service = stack.enter_context(running(settings, workers=1))
        try:
            yield service
        finally:
            with host.inside():
                stack.close()


@pytest.fixture(autouse=True)
def at_the_switch(site: Site) -> Iterator[None]:
    """Clients are at the switch; every test starts with all cables plugged in."""
    site.network.mend(0)
    with site.network.switch.inside():
        yield


def test_prometheus_on_another_host_reads_the_metrics(site: Site) -> None:
    """With the token it gets the metrics and nothing else; without it, nothing."""
    address = f"http://{site.network.hosts[0].address}:{site.services[0].port}"
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    scraped = httpx.get(f"{address}/metrics", headers=bearer, trust_env=False)
    assert scraped.status_code == 200
    assert "lunapass_open_sessions" in scraped.text
    for path, headers in (
        ("/metrics", {}),
        ("/metrics", {"Authorization": f"Bearer {TOKEN}x"}),
        ("/statistics", bearer),
    ):
        refused = httpx.get(f"{address}{path}", headers=headers, trust_env=False)
        assert refused.status_code == 403
        assert "lunapass" not in refused.text


async def show(client: Client, *numbers: int) -> list[Answer]:
    """Send frames one after another; return their answers."""
    answers = []
    for number in numbers:
        await client.send_frame(stamped_jpeg(1, number))
        answers.append(await client.receive())
    return answers


async def stored(site: Site, client: Client, frames: int) -> None:
    """Wait until the store has a session's judged frames."""
    name = f"lunapass:session:{{{client.session_id}}}:log"

    def there() -> bool:
        with site.store.client() as redis:
            return redis.llen(name) == frames

    deadline = time.monotonic() + 60
    while not there():
        assert time.monotonic() < deadline, "the session is not stored"
        await asyncio.sleep(0.05)


async def test_a_session_continues_at_the_other_host(site: Site) -> None:
    """The host is cut off in the middle: the other one has the log, and alone gives the verdict."""
    before = site.accepted(0)
    async with site.client(0) as client:
        await show(client, 1, 2, 3)
        await stored(site, client, 3)
        site.network.cut(0)
        async with site.client(1, client) as again:
            assert again.connected is not None
            assert again.connected.headers["seq"] == 3
            status = (await show(again, 50))[0]
            assert status.seq == 4
            assert status.body["isOk"]
            result = await again.receive()
            assert result.command is Command.RESULT
            assert result.body["isOk"]
        site.network.mend(0)
        # The first host learns of it once it reaches the store, and closes its connection.
        last = [answer async for answer in client.answers()]
        assert last == []
        assert client.close_code == CloseCode.REPLACED
    assert "session taken over elsewhere" in site.log(0)
    assert site.accepted(0) == before


async def test_a_verdict_is_delivered_again_at_the_other_host(site: Site) -> None:
    """RESULT was lost with its host: the other one delivers exactly the same token."""
    async with site.client(0) as client:
        await show(client, 1, 50)
        first = await client.receive()
    await stored(site, client, 2)
    site.network.cut(0)
    async with site.client(1, client) as again:
        assert (await again.receive()).body == first.body


async def test_a_restarted_gateway_stays_the_owner(site: Site) -> None:
    """A restarted gateway continues its sessions; the store does not prevent it."""
    service = site.services[0]
    async with site.client(0) as client:
        await show(client, 1)
        os.kill(service.pids("gateway")[0], signal.SIGKILL)
    with site.network.hosts[0].inside():
        await asyncio.to_thread(service.wait_ready)
    async with site.client(0, client) as again:
        await asyncio.sleep(2.5)  # longer than an owner waits before it asks the store
        await show(again, 50)
        assert (await again.receive()).body["isOk"]


async def test_a_wrong_token_gets_nothing(site: Site) -> None:
    """A session id alone gets nothing from the store."""
    async with site.client(0) as client:
        await show(client, 1)
        await stored(site, client, 1)
        thief = Client(site.url(1), session_id=client.session_id, resume_token="0" * 32)
        async with thief:
            assert thief.connected is not None
            assert thief.connected.body["code"] == "session.unknown"
        assert (await show(client, 2))[0].command is Command.STATUS


async def test_a_forged_session_gets_nothing(site: Site) -> None:
    """An attacker who can write to the store cannot invent frames: the session is refused."""
    async with site.client(0) as client:
        await show(client, 1, 2)
        await stored(site, client, 2)
        with site.store.client() as redis:
            name = f"lunapass:session:{{{client.session_id}}}:log"
            redis.lset(name, 0, redis.lindex(name, 1))
        async with site.client(1, client) as again:
            assert again.connected is not None
            assert again.connected.body["code"] == "session.unknown"
    assert "stored session refused" in site.log(1)


async def test_without_redis_only_resuming_elsewhere_is_lost(site: Site) -> None:
    """While Redis is down, sessions start, resume at their host and succeed.

    Later the writes follow.
    """
    async with site.client(0) as before:
        await show(before, 1)
        site.store.stop()
        async with site.client(0) as client:
            await show(client, 1, 2)
        async with site.client(1, client) as elsewhere:
            assert elsewhere.connected is not None
            assert elsewhere.connected.body["code"] == "session.unknown"
        async with site.client(0, client) as again:
            await show(again, 3, 50)
            assert (await again.receive()).body["isOk"]
        await show(before, 2)
        site.store.start()
        await show(before, 3)
        await stored(site, before, 3)
        async with site.client(1, before) as moved:
            assert moved.connected is not None
            assert moved.connected.headers["seq"] == 3
