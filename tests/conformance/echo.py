"""The gateway as it is, but that each connection is served by an echo: for ``wstest``.

Everything of the WebSocket is the real one: listening, admission, limits, library, loop. That a
client's messages come back is not in the product at all, so no setting can turn it on there.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import uvloop
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from gateway.service import Gateway
from shared.config.handover import WholeFile
from shared.process.listening import open_listeners


class EchoGateway(Gateway):
    """A gateway without sessions."""

    async def _serve(self, socket: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for message in socket:
                await socket.send(message)


async def main() -> None:
    """Echo until killed."""
    source = WholeFile("gateway", Path(sys.argv[1]))
    await EchoGateway(source, open_listeners(source.part.config)).run()


if __name__ == "__main__":
    uvloop.run(main())
