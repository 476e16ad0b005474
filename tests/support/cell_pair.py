"""Two services with one session store, and a client that switches between them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from lunapass_client import Answer
from shared.wire.protocol import SUBPROTOCOL, Codec, Command
from tests.support.redis_server import RedisServer, running_redis
from tests.support.service import UNPACED, Service, running
from tests.support.stamp import stamped_jpeg
from tests.support.waiting import SECONDS


@dataclass
class Pair:
    """Two services with one session store.

    Attributes:
        store: the Redis of the session store.
        services: the two services.
    """

    store: RedisServer
    services: list[Service]

    @contextlib.asynccontextmanager
    async def door(self, number: int) -> AsyncIterator[ClientConnection]:
        """Open a connection to a service, before CONNECT."""
        url = self.services[number].url
        subprotocols = [Subprotocol(SUBPROTOCOL)]
        async with connect(url, subprotocols=subprotocols, compression=None) as socket:
            yield socket

    async def reload(self, addition: str) -> None:
        """Add to the configuration of both."""
        for service in self.services:
            await service.reload(addition)


@contextlib.contextmanager
def pair(settings: str = "", limits: str = "", required: int = 0) -> Iterator[Pair]:
    with running_redis() as redis, contextlib.ExitStack() as stack:
        store = f'[SESSION_STORE]\nconnectionString = "{redis.url}"\nrequired = {required}\n'
        backend = 'backend = "tests.support.stamp:ActingStampBackend"'
        services = []
        for number in range(2):
            cell = f"firstCell = {number}\n{UNPACED}{limits}"
            whole = cell + (store if required else store.replace("required = 0\n", "")) + settings
            services.append(stack.enter_context(running(whole, workers=1, worker_settings=backend)))
        yield Pair(redis, services)


async def answer_of(socket: ClientConnection, seconds: float = SECONDS) -> Answer:
    return Answer.parse(await asyncio.wait_for(socket.recv(), seconds))


class Hopper:
    """A client that switches between gateways and reads each connection to its end.

    Attributes:
        heard: all answers of all gateways.
        identity: id of the session.
    """

    def __init__(self, services: Pair) -> None:
        self._services = services
        self._stack = contextlib.AsyncExitStack()
        self._readers: list[asyncio.Task[None]] = []
        self._socket: ClientConnection
        self._hello = Codec.encode(Command.CONNECT, {})
        self.heard: list[Answer] = []
        self.identity = ""

    async def __aenter__(self) -> Hopper:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()
        await asyncio.gather(*self._readers)

    async def go_to(self, number: int) -> None:
        """Connect to a gateway, resuming the session if there is one.

        The previous connection stays open.
        """
        self._socket = await self._stack.enter_async_context(self._services.door(number))
        await self._socket.send(self._hello)
        answer = await answer_of(self._socket)
        self.heard.append(answer)
        if answer.command is Command.CONNECTED:
            names = ("session-id", "resume-token")
            headers = {name: answer.headers[name] for name in names}
            self._hello = Codec.encode(Command.CONNECT, headers)
            self.identity = headers["session-id"]
        self._readers.append(asyncio.create_task(self._read(self._socket)))

    async def _read(self, socket: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                self.heard.append(Answer.parse(await socket.recv()))

    async def show(self, number: int) -> None:
        with contextlib.suppress(ConnectionClosed):
            await self._socket.send(stamped_jpeg(1, number))

    async def show_until_result(self, pause: float) -> None:
        """Show frames until RESULT; a slow machine may lose or delay some."""
        async with asyncio.timeout(SECONDS):
            while not self.of(Command.RESULT):
                await self.show(0)
                await asyncio.sleep(pause)

    def of(self, command: Command) -> list[Answer]:
        return [answer for answer in self.heard if answer.command is command]
