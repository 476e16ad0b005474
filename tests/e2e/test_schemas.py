"""Every message of the service matches the published schemas."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import jwt
import pytest
from jsonschema import Draft202012Validator
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.support.service import UNPACED, Service, running
from tests.support.stamp import stamped_jpeg

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
SESSIONS = 45
UNREADABLE = b"no picture"


def validator(name: str) -> Draft202012Validator:
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running(f"{UNPACED}\n[MIDDLEWARES.WS.Bestshot]\nisEnabled = 1") as started:
        yield started


async def session(service: Service, person: int) -> list[str]:
    """Play one session to its end, with unreadable, overtaken, refused and accepted frames."""
    heard = []
    numbers = count()
    async with connect(service.url) as socket:
        await socket.send('{"command": "CONNECT", "headers": {"client": {"mirrored": true}}}')
        await socket.send('{"command": "HEARTBEAT"}')
        await socket.send(UNREADABLE)
        for _ in range(3):  # at least one is replaced before it is judged
            await socket.send(stamped_jpeg(person, next(numbers)))
        async for text in socket:
            assert isinstance(text, str)
            heard.append(text)
            message = json.loads(text)
            if message["command"] == "STATUS" and not message["body"]["isOk"]:
                with contextlib.suppress(ConnectionClosed):  # another frame may have replaced it
                    await socket.send(stamped_jpeg(person, next(numbers)))
    return heard


async def refused(service: Service) -> list[str]:
    """Send what the protocol does not define."""
    async with connect(service.url) as socket:
        await socket.send('{"command": "CONNECT"}')
        connected = await socket.recv()
        await socket.send('{"command": "JUMP"}')
        return [str(connected), str(await socket.recv())]


def test_a_thousand_messages(service: Service) -> None:
    """Every message of many sessions, and every token, matches its schema."""

    async def play() -> list[str]:
        sessions = [session(service, person) for person in range(SESSIONS)]
        heard = await asyncio.gather(*sessions, refused(service))
        return [text for texts in heard for text in texts]

    messages: list[dict[str, Any]] = [json.loads(text) for text in asyncio.run(play())]
    server, status = validator("server-message"), validator("status")
    result, token = validator("result"), validator("token")
    for message in messages:
        server.validate(message)
        if message["command"] == "STATUS":
            status.validate(message["body"])
        if message["command"] == "RESULT":
            result.validate(message["body"])
            claims = jwt.decode(message["body"]["jwt"], options={"verify_signature": False})
            token.validate(claims)
    by_command = Counter(message["command"] for message in messages)
    assert by_command.keys() == {"CONNECTED", "STATUS", "DROPPED", "RESULT", "ERROR", "HEARTBEAT"}
    assert by_command["RESULT"] == SESSIONS
    assert len(messages) >= 1000


@pytest.mark.parametrize(
    "change",
    [
        lambda status: status.pop("isOk"),
        lambda status: status.update(isOk="yes"),
        lambda status: status.update(errors=[1000]),
        lambda status: status.update(more=1),
        lambda status: status["details"].update(ags=2),
    ],
)
def test_the_schemas_reject_invalid_messages(change: Any) -> None:
    """A schema that accepts everything would prove nothing."""
    status: dict[str, Any] = {"isOk": False, "errors": [32], "details": {"ags": 0.9}}
    assert validator("status").is_valid(status)
    change(status)
    assert not validator("status").is_valid(status)
