"""Start tokens through the whole service, from the relying party's server to the verdict."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from lunapass_client import Client, Consent, Refused, SyncClient
from tests.support.command import Ended, lunapass
from tests.support.redis_server import running_redis
from tests.support.service import KEY, UNPACED, Service, running
from tests.support.stamp import stamped_jpeg
from tests.support.waiting import wait_for

SECRET = "relying-party-" * 4
RESULT_KEY = "result-key-" * 4
LIVE = 20
EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    plugin = f'[MIDDLEWARES.REQUEST.StartToken]\nisEnabled = 1\nargs.key = "{SECRET}"\n'
    with running_redis() as redis:
        store = f'[SESSION_STORE]\nconnectionString = "{redis.url}"\n'
        plugin += "[MIDDLEWARES.WS.Bestshot]\nisEnabled = 1\n"
        plugin += "[MIDDLEWARES.REQUEST.ServerResult]\nisEnabled = 1\n"
        plugin += f'args.key = "{RESULT_KEY}"\n'
        plugin += "[MIDDLEWARES.WS.Audit]\nisEnabled = 1\nargs.required = 1\n"
        plugin += 'args.path = "DIRECTORY/audit"\n'
        limits = f"{UNPACED}refusedSessionsPerPerson = 2\n"
        with running(f"{limits}{store}{plugin}") as started:
            # Until the aggregator's first report, required audit records count as not written.
            wait_for(lambda: "Audit" in started.get("/statistics").text)
            yield started


@pytest.fixture
def make(service: Service) -> Callable[..., str]:
    """Make start tokens as the command does."""

    def make(*options: str) -> str:
        made = lunapass("start-token", "--config", service.directory / "config.toml", *options)
        assert made.returncode == 0, made.stderr
        return made.stdout.strip()

    return make


def frames() -> Iterator[bytes]:
    while True:
        yield stamped_jpeg(1, LIVE)


async def test_the_verdict_has_the_claims_of_the_start_token(
    service: Service, make: Callable[..., str]
) -> None:
    """The session resumes without another start token."""
    start = make("--subject", "anna", "--nonce", "n-1", "--kiosk", "door 3")
    client = Client(service.url, start_token=start)
    async with client:
        pass
    async with Client(
        service.url, session_id=client.session_id, resume_token=client.resume_token
    ) as again:
        verdict = await again.check(frames())
    claims = jwt.decode(verdict.token or "", KEY, algorithms=["HS256"], audience="lunapass")
    assert (claims["sub"], claims["nonce"], claims["kiosk"]) == ("anna", "n-1", "door 3")


async def test_refusals_have_their_codes(service: Service, make: Callable[..., str]) -> None:
    """No session starts without a token, with a used one, or with that of another service."""
    used = make()
    async with Client(service.url, start_token=used):
        pass
    forged = jwt.encode({"aud": "lunapass"}, "x" * 32, algorithm="HS256")
    for token, code in (
        (None, "start-token.missing"),
        (used, "start-token.used"),
        (forged, "start-token.invalid"),
    ):
        async with Client(service.url, start_token=token) as client:
            with pytest.raises(Refused) as refused:
                await client.check(frames())
        assert refused.value.code == code


def test_a_function_gives_a_token_for_each_attempt(
    service: Service, make: Callable[..., str]
) -> None:
    """A program passes a function that gets one from its server, because a token is valid once."""
    asked = []

    def ask() -> str:
        asked.append(make("--nonce", str(len(asked))))
        return asked[-1]

    for number in range(2):
        with SyncClient(service.url, start_token=ask) as client:
            verdict = client.check(frames())
        claims = jwt.decode(verdict.token or "", KEY, algorithms=["HS256"], audience="lunapass")
        assert claims["nonce"] == str(number)


async def test_no_token_is_logged(service: Service, make: Callable[..., str]) -> None:
    """A start token is a credential until it is used, and a refused one may still be valid."""
    token = make()
    async with Client(service.url, start_token=token + "x"):
        pass
    log = (service.directory / "log").read_text()
    assert not any(part in log for part in token.split(".")[1:])


async def ask_for_result(service: Service, session: str | None, folder: Path) -> dict[str, Any]:
    """Request the result as the documented program does."""
    (folder / "result.key").write_text(f"{RESULT_KEY}\n")
    url = f"http://127.0.0.1:{service.port}"
    program = [sys.executable, str(EXAMPLES / "result.py"), url, str(session)]
    asked = await asyncio.create_subprocess_exec(
        *program, str(folder / "result.key"), stdout=subprocess.PIPE
    )
    out, _ = await asked.communicate()
    answer: dict[str, Any] = json.loads(out)
    return answer


async def test_the_server_gets_the_result_of_a_vanished_client(
    service: Service, make: Callable[..., str], tmp_path: Path
) -> None:
    """It is the token that the client never fetched, with the claims of the start token."""
    client = Client(service.url, start_token=make("--subject", "anna"))
    async with client:
        await client.send_frame(stamped_jpeg(1, LIVE))
        while_connected = await ask_for_result(service, client.session_id, tmp_path)
        client.abort()
    answer = await ask_for_result(service, client.session_id, tmp_path)
    assert answer == while_connected
    assert (answer["state"], answer["start"]["sub"]) == ("decided", "anna")
    claims = jwt.decode(answer["jwt"], KEY, algorithms=["HS256"], audience="lunapass")
    assert (claims["sid"], claims["sub"]) == (client.session_id, "anna")
    assert await ask_for_result(service, "0" * 32, tmp_path) == {"state": "unknown"}


def audit(service: Service, *words: str) -> Ended:
    return lunapass("audit", *words, "--config", service.directory / "config.toml")


def kill_aggregator(service: Service) -> None:
    """Kill it and wait for the next one."""
    before = service.pids("aggregator")
    os.kill(before[0], signal.SIGKILL)
    wait_for(lambda: service.pids("aggregator") not in ([], before))
    service.wait_ready()


def test_the_audit_survives_a_killed_aggregator(service: Service, make: Callable[..., str]) -> None:
    """Each session has one record, and the chain has all the heads that were logged."""
    sessions = []
    for number in range(2):
        with SyncClient(service.url, start_token=make("--subject", f"person {number}")) as client:
            assert client.check(frames()).accepted
            sessions.append(str(client.session_id))
        wait_for(lambda: audit(service, "show", sessions[-1]).returncode == 0)
        kill_aggregator(service)
    for number, session in enumerate(sessions):
        (record,) = map(json.loads, audit(service, "show", session).stdout.splitlines())
        assert (record["start"]["sub"], record["accepted"]) == (f"person {number}", True)
        assert record["frames"]
        assert record["policy"]["digest"]
    log = str(service.directory / "log")
    verified = audit(service, "verify", "--heads", log)
    assert verified.returncode == 0, verified.stderr
    assert "0 errors" in verified.stdout
    exported = [json.loads(line) for line in audit(service, "export").stdout.splitlines()]
    assert {*sessions} <= {record.get("session") for record in exported}


async def test_consent_is_in_token_and_audit(service: Service, make: Callable[..., str]) -> None:
    """Without consent to the current version no session starts, and the start token stays valid."""
    config = service.directory / "config.toml"
    before = config.read_text()
    text = (EXAMPLES.parent / "plugins.md").read_text()
    example = "[MIDDLEWARES.REQUEST.Consent]" + text.split("[MIDDLEWARES.REQUEST.Consent]")[1]
    await service.reload(example.split("```")[0])
    start = make("--subject", "erik")
    try:
        for consent in (None, Consent("2025-01", 1_764_000_000)):
            async with Client(service.url, start_token=start, consent=consent) as client:
                with pytest.raises(Refused, match="2026-11") as refused:
                    await client.check(frames())
            assert refused.value.code == "consent.required"
        given = Consent("2026-11", 1_764_000_000.5)
        async with Client(service.url, start_token=start, consent=given) as client:
            verdict = await client.check(frames())
    finally:
        config.write_text(before)
        await service.reload("")
    claims = jwt.decode(verdict.token or "", KEY, algorithms=["HS256"], audience="lunapass")
    assert claims["consent"] == {"version": "2026-11", "at": 1_764_000_000}
    wait_for(lambda: audit(service, "show", str(client.session_id)).returncode == 0)
    record = json.loads(audit(service, "show", str(client.session_id)).stdout)
    assert record["start"]["consent"] == claims["consent"]


async def test_a_person_who_fails_has_to_wait(service: Service, make: Callable[..., str]) -> None:
    """The code is that of a refused address. The start token stays valid, and others are served."""
    for _ in range(2):
        async with Client(service.url, start_token=make("--subject", "carol")) as client:
            await client.send_frame(stamped_jpeg(1, LIVE - 1))
            assert '"STATUS"' in str(await client.socket.recv())
    again = make("--subject", "carol")
    for _ in range(2):
        async with Client(service.url, start_token=again) as client:
            with pytest.raises(Refused) as refused:
                await client.check(frames())
        assert refused.value.code == "session.too-many-refusals"
        assert refused.value.retry_after is not None
        assert 0 < refused.value.retry_after <= 60
    async with Client(service.url, start_token=make("--subject", "dora")) as client:
        assert (await client.check(frames())).accepted
