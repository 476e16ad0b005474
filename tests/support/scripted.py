"""A service that follows a script instead of judging."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.server import ServerConnection, serve

from loadtest.gallery import Gallery, Take
from loadtest.kiosk import Kiosk
from loadtest.plan import Plan
from loadtest.tally import CrowdTally
from shared.wire.protocol import Command

Script = Callable[[ServerConnection, dict[str, Any]], Awaitable[None]]
RESULT = {"isOk": True, "jwt": "x", "errors": []}


def message(command: Command, body: Any = None, **headers: Any) -> str:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return json.dumps({"command": command.value, "headers": named, "body": body})


GRANTED: dict[str, Any] = {"session_id": "s", "resume_token": "t", "seq": 0}


def status(seq: int, *errors: int) -> str:
    return message(Command.STATUS, {"isOk": not errors, "errors": errors, "details": {}}, seq=seq)


def without_noise(gallery: Gallery) -> Take:
    """Use the frames of a gallery unchanged; they need not be images."""
    return lambda look: gallery.frames[gallery.nearest_number(look)]


async def answer_disconnect(socket: ServerConnection, _connect: dict[str, Any]) -> None:
    """Judge nothing, and answer DISCONNECT with RESULT."""
    async for raw in socket:
        if isinstance(raw, str):
            assert json.loads(raw)["command"] == Command.DISCONNECT.value
            await socket.send(message(Command.RESULT, {"isOk": False, "jwt": None, "errors": [40]}))
            return


async def be_silent(socket: ServerConnection, _connect: dict[str, Any]) -> None:
    """Answer nothing."""
    await socket.wait_closed()


@asynccontextmanager
async def service(script: Script, *, first: str = "", **options: Any) -> AsyncIterator[str]:
    """A service that answers CONNECT, with ``first`` or correctly, and then follows a script."""

    async def handle(socket: ServerConnection) -> None:
        connect = json.loads(await socket.recv())["headers"]
        granted = message(Command.CONNECTED, **GRANTED)
        await socket.send(first or granted)
        await script(socket, connect)

    async with serve(handle, "127.0.0.1", 0, **options) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ws"


async def run_person(url: str, gallery: Gallery, **how: Any) -> CrowdTally:
    """Let one person make an attempt."""
    tally = CrowdTally()
    plan = Plan(url, **{"fps": 0.0, "prepare": 0.0, **how})
    kiosk = Kiosk(plan, without_noise(gallery), lambda: tally, seed=1)
    await asyncio.wait_for(kiosk.attend(asyncio.get_running_loop().time(), lambda: True), 60)
    return tally
