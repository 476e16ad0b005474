"""SIGHUP loads new thresholds and plugins without dropping a session.

An invalid file has no effect.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import AsyncIterator, Iterator

import pytest
from websockets.exceptions import InvalidStatus

from lunapass_client import Answer, Client
from tests.support.service import UNPACED, Service, running
from tests.support.stamp import stamped_jpeg

LIVE = 50
SEVERAL = "[MIDDLEWARES.WS.AggregateLiveness]\nisEnabled = 1\nargs.minIntervalMs = 0\n"
"""A verdict needs three live frames."""


@pytest.fixture(scope="module")
def shared() -> Iterator[Service]:
    with running(UNPACED, workers=1) as started:
        yield started


@pytest.fixture
async def service(shared: Service) -> AsyncIterator[Service]:
    async with shared.lent() as lent:
        yield lent


async def show(client: Client) -> Answer:
    await client.send_frame(stamped_jpeg(1, LIVE))
    return await client.receive()


async def refused(client: Client) -> None:
    """Show a frame that gets a verdict, but is not live."""
    await client.send_frame(stamped_jpeg(1, 1))
    assert not (await client.receive()).body["isOk"]


async def test_running_sessions_keep_their_plugins(service: Service) -> None:
    """A plugin that is turned on applies to sessions that start after the reload."""
    async with Client(service.url) as before:
        await service.reload(SEVERAL)
        async with Client(service.url) as after:
            assert [(await show(after)).body["isOk"] for _ in range(3)] == [False, False, True]
            assert (await after.receive()).body["isOk"]
        assert (await show(before)).body["isOk"]
        assert (await before.receive()).body["isOk"]


PASSWORD = """[MIDDLEWARES.REQUEST.BasicAuth]
isEnabled = 1
args.username = "kiosk"
args.password = "first"
"""


async def test_a_reload_changes_the_password(service: Service) -> None:
    """New connections need the new one; a running session continues."""
    async with Client(service.url) as before:
        await service.reload(PASSWORD)
        with pytest.raises(InvalidStatus, match="401"):
            await Client(service.url).__aenter__()
        async with Client(service.url, username="kiosk", password="first"):
            pass
        config = service.directory / "config.toml"
        config.write_text(config.read_text().replace('"first"', '"second"'))
        await service.reload("")
        with pytest.raises(InvalidStatus, match="401"):
            await Client(service.url, username="kiosk", password="first").__aenter__()
        async with Client(service.url, username="kiosk", password="second"):
            pass
        assert (await show(before)).body["isOk"]


AGAIN = "session replayed with different plugins; its verdict may differ"


async def test_a_death_after_a_reload_is_logged(service: Service) -> None:
    """The replay uses the new plugins, and one line reports it; without changes there is none."""

    def replays() -> int:
        lines = (service.directory / "log").read_text().splitlines()
        sessions = [json.loads(line)["session"] for line in lines if AGAIN in line]
        return sessions.count(str(client.session_id))

    def kill() -> None:
        os.kill(service.pids("aggregator")[0], signal.SIGKILL)

    async with Client(service.url) as client:
        await refused(client)
        kill()
        await refused(client)
        assert replays() == 0
        await service.reload(SEVERAL)
        kill()
        await refused(client)
        kill()
        await refused(client)
        assert replays() == 1
        while not (await show(client)).body["isOk"]:
            pass
        assert (await client.receive()).body["isOk"]


async def test_thresholds_apply_from_the_next_frame(service: Service) -> None:
    """They apply to a running session, too; an invalid file after that changes nothing."""
    async with Client(service.url) as client:
        await service.reload("[LIVENESS.THRESHOLDS]\nfaceWidth = 300\n")
        assert (await show(client)).body["errors"] == [12]
        await service.reload("[NO_SUCH_SECTION]\n", roles=1)  # only the supervisor reads it
        assert (await show(client)).body["errors"] == [12]
