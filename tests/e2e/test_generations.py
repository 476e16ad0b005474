"""All roles of a service use the configuration that the supervisor has loaded, and no other."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator

import jwt
import pytest

from lunapass_client import Answer, Client
from tests.support.memory import shown_of
from tests.support.service import KEY, UNPACED, Service, running
from tests.support.stamp import stamped_jpeg

ROLES = ("worker", "aggregator", "gateway")
TOO_LARGE = "[LIVENESS.THRESHOLDS]\nfaceWidth = 300\n"
"""A threshold that the test's faces, 200 pixels wide, fail with code 12."""
OTHER_KEY = "abcdef0123456789abcdef0123456789abcdef0123456789"


@pytest.fixture(scope="module")
def shared() -> Iterator[Service]:
    with running(UNPACED, workers=1) as started:
        yield started


@pytest.fixture
async def service(shared: Service) -> AsyncIterator[Service]:
    async with shared.lent() as lent:
        yield lent


def edit(service: Service, addition: str) -> None:
    config = service.directory / "config.toml"
    config.write_text(f"{config.read_text()}\n{addition}")


def lines(service: Service, event: str) -> list[dict[str, str]]:
    """Return what the roles have logged about their configurations."""
    text = (service.directory / "log").read_text().splitlines()
    said = [json.loads(line) for line in text if line.startswith("{")]
    return [line for line in said if line["message"] == f"configuration {event}"]


async def restart(service: Service, role: str) -> None:
    """Kill a role, and wait until it is back."""
    (dead,) = service.pids(role)
    os.kill(dead, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while service.pids(role) in ([], [dead]):
        assert time.monotonic() < deadline, f"no new {role}"
        await asyncio.sleep(0.05)
    await asyncio.to_thread(service.wait_ready)


async def judged(service: Service) -> Answer:
    """Send a live frame in its own session; return its status."""
    async with Client(service.url) as client:
        await client.send_frame(stamped_jpeg(1, 50))
        return await client.receive()


async def token(service: Service) -> str:
    async with Client(service.url) as client:
        await client.send_frame(stamped_jpeg(1, 50))
        await client.receive()
        return str((await client.receive()).body["jwt"])


@pytest.mark.parametrize("edited", [TOO_LARGE, "[NO_SUCH_SECTION]\n"], ids=["valid", "faulty"])
async def test_an_edit_without_a_reload_is_not_used(service: Service, edited: str) -> None:
    """Each role that dies is restarted with the old settings, whatever the file says then."""
    edit(service, edited)
    for role in ROLES:
        await restart(service, role)
        assert (await judged(service)).body["isOk"], role
        assert {line["generation"] for line in lines(service, "loaded")} == {
            service.get("/statistics").json()["configuration"]
        }


async def test_a_role_started_after_a_reload_uses_the_new_configuration(service: Service) -> None:
    """Each restarted role gets what the others use, and all log the same generation."""
    await service.reload(TOO_LARGE)
    for role in ROLES:
        await restart(service, role)
        assert (await judged(service)).body["errors"] == [12], role
        *_, started = lines(service, "loaded")
        taken = {line["generation"] for line in lines(service, "reloaded")}
        running = service.get("/statistics").json()["configuration"]
        assert taken == {started["generation"], running}, role


async def test_an_invalid_file_is_given_to_no_role(service: Service) -> None:
    """The supervisor refuses it with one line; a new process does not get it either."""
    await service.reload("[LIVENESS.THRESHOLDS]\nfaceWidth = -1\n", roles=1)
    await restart(service, "worker")
    assert (await judged(service)).body["isOk"]
    log = service.directory / "log"
    assert log.read_text().count("configuration not reloaded") == 1
    assert lines(service, "reloaded") == []


async def test_settings_that_need_a_restart_wait_for_it_in_every_role(service: Service) -> None:
    """A new signing key comes with new thresholds: a restarted aggregator signs with the old key.

    Otherwise its tokens would not match the public keys that the running gateway publishes.
    """
    config = service.directory / "config.toml"
    config.write_text(config.read_text().replace(KEY, OTHER_KEY))
    await service.reload("[LIVENESS.THRESHOLDS]\nfaceWidth = 100\n")
    assert "need a restart: LUNA_PASS" in (service.directory / "log").read_text()
    await restart(service, "aggregator")
    assert jwt.decode(await token(service), KEY, algorithms=["HS256"])["isOk"]


async def test_a_reload_while_a_role_starts_reaches_it() -> None:
    """The process may have its part already; it ends up with the newest one."""
    with running(UNPACED, workers=1) as service:
        os.kill(service.pids("worker")[0], signal.SIGKILL)
        edit(service, TOO_LARGE)
        for _ in range(20):  # during the whole start of the worker
            service.process.send_signal(signal.SIGHUP)
            await asyncio.sleep(0.1)
        await asyncio.to_thread(service.wait_ready)
        deadline = time.monotonic() + 60
        while (await judged(service)).body["errors"] != [12]:
            assert time.monotonic() < deadline, "the new process has the old threshold"
            await asyncio.sleep(0.2)
        newest = lines(service, "reloaded")[-1]["generation"]
        of_worker = [
            line["generation"]
            for event in ("loaded", "reloaded")
            for line in lines(service, event)
            if line["role"] == "worker-0"
        ]
        assert of_worker[-1] == newest


def test_no_role_knows_the_path_of_the_file(shared: Service) -> None:
    """Neither its command line nor its environment contains it."""
    named = str(shared.directory / "config.toml").encode()
    for role in ROLES:
        (pid,) = shared.pids(role)
        for name in ("cmdline", "environ"):
            assert named not in shown_of(pid, name)
