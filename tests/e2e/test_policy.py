"""The token of a running service states the policy that ``lunapass config policy`` prints."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from click.testing import CliRunner

from gateway.sessions.store_scripts import keys
from lunapass.commands.config import command
from lunapass_client import Client
from tests.support.redis_server import RedisServer, running_redis
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
LAXER = "[LIVENESS.THRESHOLDS]\nyaw = 90.0\n"


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running(UNPACED + TWO_FRAMES, workers=1) as started:
        yield started


@pytest.fixture(scope="module", autouse=True)
def start_log(service: Service) -> str:
    """What was logged before the first test, because a lent service has an empty log."""
    return (service.directory / "log").read_text()


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


def test_the_policy_is_logged_once_at_start_up(start_log: str) -> None:
    """The line has the output of ``lunapass config check``."""
    assert start_log.count("lunapass: Accepts a passing mean over 2 frames out of ") == 1


async def test_a_laxer_reload_in_the_middle_is_stated(service: Service) -> None:
    """The token has the rules of the accepted frame and the earlier ones.

    No session is refused for it.
    """
    before = printed(service)
    async with service.lent(), Client(service.url) as client:
        assert not await show(client)
        await service.reload(LAXER)
        assert await show(client)
        policy = await stated(client)
        assert policy.pop("others") == [parts(before)]
        assert policy == printed(service) != before


def parts(policy: dict[str, str]) -> dict[str, str]:
    """Return what the claim states of an earlier policy."""
    return {key: policy[key] for key in ("digest", "rules", "models")}


async def test_a_session_that_moves_states_all_its_policies() -> None:
    """The claim is the same at another machine; if that one is laxer, it states both policies."""
    with running_redis() as redis:
        settings = f'{UNPACED}{TWO_FRAMES}[SESSION_STORE]\nconnectionString = "{redis.url}"\n'
        with running(settings, workers=1) as one, running(settings, workers=1) as two:
            assert await moved(one, two, redis) == printed(one) == printed(two)
            await two.reload(LAXER)
            policy = await moved(one, two, redis)
            assert policy.pop("others") == [parts(printed(one))]
            assert policy == printed(two) != printed(one)


async def moved(one: Service, two: Service, redis: RedisServer) -> Any:
    """Show one frame to each service in one session; the policy that its token states."""
    async with Client(one.url) as client:
        assert not await show(client)
        token = {"session_id": client.session_id, "resume_token": client.resume_token}
        _, log, _ = keys(str(client.session_id))
        with redis.client() as stored:
            await until(lambda: stored.exists(log))  # with the frame
    async with Client(two.url, **token) as again:
        assert await show(again)
        return await stated(again)
