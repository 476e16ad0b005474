"""The synchronous client, for scripts and programs without an event loop."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from websockets.sync.client import ClientConnection, connect

from lunapass_client.answers import Answer, Verdict
from lunapass_client.conversation import require_granted
from lunapass_client.errors import client_errors
from lunapass_client.session import Listener, SessionClient
from lunapass_client.standstill import Movement
from lunapass_client.tcp import Line, unacknowledged_bytes
from lunapass_client.websocket_adapter import cut, incomplete_bytes, socket_of

Result = TypeVar("Result")


class SyncClient(SessionClient):
    """One session; use it as a context manager. ``SessionClient`` describes the arguments."""

    _socket: ClientConnection | None = None

    def __enter__(self) -> SyncClient:
        connected = _run(self._connect())
        try:
            require_granted(connected)
        except BaseException:
            self.abort()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    @property
    def socket(self) -> ClientConnection:
        """The open WebSocket."""
        assert self._socket is not None, "use the client with 'with'"
        return self._socket

    def check(self, frames: Iterable[bytes], on_answer: Listener | None = None) -> Verdict:
        """Send frames until the verdict; the arguments and errors are those of ``Client.check``."""
        return _run(self._check(frames, on_answer))

    def abort(self) -> None:
        """Close the socket without a closing handshake, which the server may never answer."""
        cut(self.socket)
        self.socket.close()

    async def _open(self, address: str) -> Line:
        # The library requires a context manager; ``abort`` and ``__exit__`` close the connection.
        self._socket = contextlib.ExitStack().enter_context(connect(address, **self._options))
        return socket_of(self._socket)

    async def _write(self, message: bytes | str) -> None:
        self.socket.send(message)

    async def _read(self, seconds: float) -> Answer | None:
        with client_errors():
            try:
                raw = self.socket.recv(seconds)
            except TimeoutError:
                return None
        return Answer.parse(raw)

    async def _pause(self, seconds: float) -> None:
        time.sleep(seconds)  # noqa: ASYNC251  # no event loop runs it

    def _movement(self) -> Movement:
        unacknowledged = unacknowledged_bytes(socket_of(self.socket))
        return Movement(incomplete_bytes(self.socket), unacknowledged)


def _run(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine that never suspends, because its I/O blocks."""
    try:
        coroutine.send(None)
    except StopIteration as finished:
        result: Result = finished.value
        return result
    raise AssertionError("the coroutine was suspended")
