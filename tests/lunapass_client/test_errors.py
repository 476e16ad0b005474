"""All errors of either client are a ``ClientError``, and sessions are resumed by token."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from typing import Any

import pytest
import websockets.exceptions
from websockets.asyncio.server import ServerConnection, serve

from lunapass_client import Client, ClientError, SyncClient, Verdict
from lunapass_client import errors as client_errors

IDENTITY = {"session-id": "0" * 32, "resume-token": "1" * 32}
Check = Callable[..., Awaitable[Verdict]]


def reply(command: str, body: Any = None, **headers: Any) -> str:
    return json.dumps({"command": command, "headers": headers, "body": body})


CONNECTED = reply("CONNECTED", **IDENTITY)


@contextlib.asynccontextmanager
async def service(*answers: str, heard: list[Any] | None = None) -> AsyncIterator[str]:
    """Yield the address of a service that answers each message with the next text, then closes.

    The close code is 1008. Without any answer, it refuses the handshake.
    """

    async def handle(line: ServerConnection) -> None:
        for answer in answers:
            message = await line.recv()
            if heard is not None and isinstance(message, str):
                heard.append(json.loads(message))
            await line.send(answer)
        await line.close(1008)

    refusal = None if answers else (lambda line, _: line.respond(HTTPStatus.UNAUTHORIZED, "no"))
    async with serve(handle, "127.0.0.1", 0, process_request=refusal) as server:
        yield f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/ws"


@pytest.fixture(params=["asynchronous", "synchronous"])
def check(request: pytest.FixtureRequest) -> Check:
    """Check with one frame."""

    async def with_await(url: str, **options: Any) -> Verdict:
        async with Client(url, resumes=0, **options) as client:
            return await client.check([b"frame"])

    def blocking(url: str, options: dict[str, Any]) -> Verdict:
        with SyncClient(url, resumes=0, **options) as client:
            return client.check([b"frame"])

    async def in_thread(url: str, **options: Any) -> Verdict:
        return await asyncio.to_thread(blocking, url, options)

    return with_await if request.param == "asynchronous" else in_thread


def test_the_errors_have_one_base() -> None:
    """``except ClientError`` catches all of them."""
    found = [one for one in vars(client_errors).values() if isinstance(one, type)]
    own = [one for one in found if one.__module__ == client_errors.__name__]
    assert len(own) > 8
    assert all(issubclass(one, ClientError) for one in own)


@pytest.mark.parametrize("url", ["ws://127.0.0.1:1/ws", "http://127.0.0.1/ws"])
async def test_no_connection(check: Check, url: str) -> None:
    """The port is closed, or the address is invalid; the cause says which."""
    with pytest.raises(client_errors.Unreachable) as caught:
        await check(url)
    assert isinstance(caught.value.__cause__, ConnectionRefusedError | websockets.InvalidURI)


async def test_a_refused_handshake(check: Check) -> None:
    """The error has the HTTP status."""
    async with service() as url:
        with pytest.raises(client_errors.NotAdmitted) as caught:
            await check(url)
    assert caught.value.status == 401


async def test_a_closed_connection(check: Check) -> None:
    """Before CONNECTED the error is raised at once.

    Later ``NoVerdict`` says why the session was not resumed.
    """
    async with service(CONNECTED) as url:
        with pytest.raises(client_errors.NoVerdict) as caught:
            await check(url)
    cause = caught.value.__cause__
    assert isinstance(cause, client_errors.Disconnected)
    assert cause.close_code == 1008


@pytest.mark.parametrize(
    "answers",
    [
        ["no JSON"],
        [reply("CONNECTED")],
        [reply("ERROR", body={"code": 5})],
        [CONNECTED, "no JSON"],
        [CONNECTED, reply("RESULT", {"isOk": True})],
        [CONNECTED, reply("STATUS", {"isOk": "yes"})],
    ],
)
async def test_an_answer_that_violates_the_protocol(check: Check, answers: list[str]) -> None:
    """It arrives at CONNECT or later."""
    async with service(*answers) as url:
        with pytest.raises(client_errors.BadAnswer):
            await check(url)


async def test_a_session_is_resumed_by_its_token(check: Check) -> None:
    """Another process may continue it later: CONNECT has the id and the token."""
    heard: list[Any] = []
    result = reply("RESULT", {"isOk": True, "jwt": "a.b.c", "errors": []})
    async with service(CONNECTED, result, heard=heard) as url:
        # Here RESULT follows CONNECTED only after a frame, as in a session without a verdict.
        verdict = await check(url, session_id="0" * 32, resume_token="1" * 32)
    assert verdict.token == "a.b.c"
    assert {name: heard[0]["headers"][name] for name in IDENTITY} == IDENTITY
