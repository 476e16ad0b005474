"""The token of a running service states the policy that ``lunapass config policy`` prints."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from click.testing import CliRunner

from lunapass.commands.config import command
from lunapass_client import Client
from tests.support.redis_server import running_redis
from tests.support.service import KEY, UNPACED, Service, running
from tests.support.stamp import stamped_jpeg
from tests.support.waiting import until

LIVE = 50
TWO_FRAMES = """
refusedSessionsPerAddress = 20  # in the file, or the environment of tests has another bound
[MIDDLEWARES.WS.AggregateLiveness]
isEnabled = 1
args.framesCount = 2
args.minIntervalMs = 0
"""


@pytest.fixture
def service() -> Iterator[Service]:
    with running(UNPACED + TWO_FRAMES, workers=1) as started:
        yield started


def printed(service: Service) -> Any:
    """Return what the command prints for the service's file."""
    arguments = ["policy", str(service.directory / "config.toml")]
    return json.loads(CliRunner().invoke(command, arguments, catch_exceptions=False).stdout)


async def show(client: Client) -> bool:
    """Show one live frame; return whether it is accepted."""
    await client.send_frame(stamped_jpeg(1, LIVE))
    return bool((await client.receive()).body["isOk"])


async def stated(client: Client) -> Any:
    """Return the claim of the token, which is in the next message."""
    body = (await client.receive()).body
    return jwt.decode(body["jwt"], KEY, ["HS256"], issuer="lunapass")["policy"]


async def test_the_token_states_the_policy_that_the_command_prints(service: Service) -> None:
    """Worker, aggregator and command agree on every digest."""
    async with Client(service.url) as client:
        assert [await show(client) for _ in range(2)] == [False, True]
        assert await stated(client) == printed(service)


async def test_the_policy_is_logged_once_at_start_up(service: Service) -> None:
    """The line has the output of ``lunapass config check``."""
    log = (service.directory / "log").read_text()
    assert log.count("lunapass: Accepts a passing mean over 2 frames out of ") == 1


async def test_a_laxer_reload_in_the_middle_is_stated(service: Service) -> None:
    """The token has the rules of the accepted frame and the earlier ones.

    No session is refused for it.
    """
    before = printed(service)
    async with Client(service.url) as client:
        assert not await show(client)
        await service.reload("[LIVENESS.THRESHOLDS]\nyaw = 90.0\n")
        assert await show(client)
        policy = await stated(client)
    assert policy.pop("others") == [{key: before[key] for key in ("digest", "rules", "models")}]
    assert policy == printed(service) != before


@pytest.mark.parametrize(
    "laxer", ["", "[LIVENESS.THRESHOLDS]\nyaw = 90.0\n"], ids=["same", "laxer"]
)
async def test_a_session_that_moves_states_all_its_policies(laxer: str) -> None:
    """The claim is the same at another machine; if that one is laxer, it states both policies."""
    with running_redis() as redis:
        store = f'[SESSION_STORE]\nconnectionString = "{redis.url}"\n'
        settings = UNPACED + TWO_FRAMES + store
        with running(settings, workers=1) as one, running(settings + laxer, workers=1) as two:
            async with Client(one.url) as client:
                assert not await show(client)
                token = {"session_id": client.session_id, "resume_token": client.resume_token}
                with redis.client() as stored:
                    await until(lambda: b"list" in map(stored.type, stored.keys()))  # the frame
            async with Client(two.url, **token) as again:
                assert await show(again)
                policy = await stated(again)
            before = printed(one)
            others = [{key: before[key] for key in ("digest", "rules", "models")}]
            assert policy.pop("others", []) == (others if laxer else [])
            assert policy == printed(two)
