"""The gateway with an echo service on each connection, for ``wstest``.

All of the WebSocket is the real one: listening, admission, limits, library, event loop. The product
has no echo, so no setting can turn one on. Binary messages are read like images, bypassing the
library if they can.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path

import uvloop
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from gateway.service import Gateway
from gateway.web.client_socket import ClientSocket
from shared.config.whole_file import WholeFile
from shared.process.listening import open_listeners


class EchoGateway(Gateway):
    """A gateway without sessions."""

    async def _serve(self, socket: ServerConnection) -> None:
        assert isinstance(socket, ClientSocket)
        answers: set[asyncio.Task[None]] = set()

        def answer(image: bytes) -> None:
            answers.add(task := asyncio.create_task(_send(socket, image)))
            task.add_done_callback(answers.discard)

        socket.on_image = answer
        with contextlib.suppress(ConnectionClosed):
            while True:
                await socket.send(await socket.next_message())


async def _send(socket: ServerConnection, message: bytes) -> None:
    with contextlib.suppress(ConnectionClosed):
        await socket.send(message)


async def main() -> None:
    """Echo until killed."""
    source = WholeFile("gateway", Path(sys.argv[1]))
    await EchoGateway(source, open_listeners(source.part.config)).run()


if __name__ == "__main__":
    uvloop.run(main())
