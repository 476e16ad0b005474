"""ZeroMQ sockets on an asyncio loop: drained from a file descriptor callback, never awaited.

``zmq.asyncio`` costs a future for each message; ``add_reader`` with a non-blocking drain does the
same work at a tenth of the price. The descriptor is edge-triggered, so a drain runs until the
socket is empty, and each send, which may consume the edge, looks whether there is something.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import zmq

from shared.config.service import Config
from shared.errors import ResourceError
from shared.process.private import private_directory
from shared.wire.curve import Guard, public_key, secure_client, secure_server
from shared.wire.lines import Line

Handler = Callable[[bytes, bytes], None]
SPARE_BYTES = 1_048_576
"""Of a message beside its pictures: an estimate and answers, some 0.2 MB at most."""
BATCH = 64
"""Messages handled in one go before other callbacks of the loop get their turn."""
_EVENTS, _READABLE = int(zmq.EVENTS), int(zmq.POLLIN)
_AT_ONCE, _AT_ONCE_AND_MORE = int(zmq.DONTWAIT), int(zmq.DONTWAIT | zmq.SNDMORE)
"""Plain numbers: a message costs a third less than with pyzmq's enumerations."""


def runtime_directory(config: Config) -> Path:
    """Make the private folder of the sockets.

    Raises:
        ResourceError: it cannot be made.
    """
    path = Path(config.TRANSPORT.runtimeDirectory).absolute()
    return private_directory(path, "TRANSPORT.runtimeDirectory", parents=True)


def _ipc(config: Config, name: str) -> str:
    address = f"ipc://{runtime_directory(config) / name}"
    if len(address) - len("ipc://") > zmq.IPC_PATH_MAX_LEN:
        raise ResourceError(
            f"socket path {address} is longer than {zmq.IPC_PATH_MAX_LEN} characters; "
            "choose a shorter TRANSPORT.runtimeDirectory"
        )
    return address


def address_of(line: Line, config: Config) -> str:
    """Return the address at which a line's server awaits its clients."""
    configured: str = getattr(config.TRANSPORT, line.key)
    return configured or _ipc(config, f"{line.key}.sock")


def connect(socket: zmq.Socket[bytes], config: Config, line: Line) -> None:
    """Connect a line's client to the server that holds the right key, and to no other.

    Raises:
        ConfigError: a key is missing.
    """
    secure_client(socket, config.TRANSPORT.KEYS, line.client, line.server)
    socket.connect(address_of(line, config))


def serve(socket: zmq.Socket[bytes], config: Config, line: Line, handler: Handler) -> Channel:
    """Bind a line's server for clients with the right key only.

    Args:
        socket: a ROUTER.
        config: the configuration.
        line: the line.
        handler: called with each message and the peer that sent it.

    Raises:
        ConfigError: a key is missing.
        ResourceError: the address is taken or not allowed.
    """
    address, keys, limits = address_of(line, config), config.TRANSPORT.KEYS, config.LIMITS
    most = limits.frameBytes + limits.bestshotBytes + SPARE_BYTES
    secure_server(socket, keys, line.server, most)
    guard = Guard(line.server, public_key(keys, line.client))
    try:
        socket.bind(address)
    except zmq.ZMQError as error:
        guard.close()
        raise ResourceError(f"address {address}: {error.strerror}") from error
    if address.startswith("ipc://"):
        os.chmod(address.removeprefix("ipc://"), 0o600)
    return Channel(socket, handler, guard)


def start_threads() -> None:
    """Start ZeroMQ's own threads; they keep to the processors of the thread that calls this."""
    zmq.Context.instance().socket(zmq.PAIR).close()


class Channel:
    """A socket whose messages are handed to a callback by the running loop.

    Args:
        socket: a ROUTER or a DEALER.
        handler: called with each message and the peer that sent it; a DEALER has one nameless peer.
        guard: lets the socket's clients in; it is closed with the channel.
    """

    def __init__(
        self, socket: zmq.Socket[bytes], handler: Handler, guard: Guard | None = None
    ) -> None:
        self._socket = socket
        self._guard = guard
        self._routes = socket.type == zmq.ROUTER
        self._handler = handler
        self._loop = asyncio.get_running_loop()
        self._scheduled = False
        self._descriptor: int = socket.getsockopt(zmq.FD)  # type: ignore[assignment]
        self._loop.add_reader(self._descriptor, self._drain)
        self._schedule()

    def send(self, message: bytes, peer: bytes = b"") -> bool:
        """Send without waiting; False when the peer is gone or its queue is full."""
        try:
            if self._routes:
                self._socket.send(peer, _AT_ONCE_AND_MORE)
            self._socket.send(message, _AT_ONCE)
        except zmq.ZMQError as error:
            if error.errno in (zmq.EAGAIN, zmq.EHOSTUNREACH):
                return False
            raise
        finally:
            if not self._scheduled and self._readable():
                self._schedule()
        return True

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._drain)

    def _drain(self) -> None:
        if self._socket.closed:
            return
        # What handlers send from here consumes no edge unseen: receiving goes on until empty.
        self._scheduled = True
        emptied = False
        try:
            emptied = self._receive_batch()
        finally:  # a handler that raises must not silence the channel for good
            self._scheduled = False
            if not emptied:
                self._schedule()

    def _receive_batch(self) -> bool:
        """Hand on a batch of messages; True when the socket is empty.

        Who is woken nearly always finds a message, so the first is taken unasked. After it, asking
        costs a third of the exception that an empty socket raises.
        """
        for _ in range(BATCH):
            try:
                peer = self._socket.recv(_AT_ONCE) if self._routes else b""
                message = self._rest() if self._routes else self._socket.recv(_AT_ONCE)
            except zmq.Again:
                return True
            self._handler(peer, message)
            if not self._readable():
                return True
        return False

    def _readable(self) -> bool:
        return bool(self._socket.getsockopt(_EVENTS) & _READABLE)  # type: ignore[operator]

    def _rest(self) -> bytes:
        """Take what follows a peer's name: one part, and whatever else it sent besides."""
        part = self._socket.recv(_AT_ONCE, copy=False)
        message = part.bytes
        while part.more:  # left there, it would pass for the name of the next peer
            part = self._socket.recv(_AT_ONCE, copy=False)
        return message

    def close(self) -> None:
        """Stop reading and close the socket at once."""
        self._loop.remove_reader(self._descriptor)
        self._socket.close(linger=0)
        if self._guard is not None:
            self._guard.close()
