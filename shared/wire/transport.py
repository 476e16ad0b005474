"""ZeroMQ sockets on an asyncio loop: drained in a file descriptor callback, never awaited.

``zmq.asyncio`` makes a future for each message; ``add_reader`` with a non-blocking drain costs a
tenth of that. The descriptor is edge-triggered: a drain runs until the socket is empty, and each
send, which may consume the edge, checks for received messages.
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
"""Room in a message for all but its images: an estimate and answers, at most about 0.2 MB."""
BATCH = 64
"""Messages handled in one go before other callbacks of the loop run."""
_EVENTS, _READABLE = int(zmq.EVENTS), int(zmq.POLLIN)
_AT_ONCE, _AT_ONCE_AND_MORE = int(zmq.DONTWAIT), int(zmq.DONTWAIT | zmq.SNDMORE)
"""Plain numbers: sending a message costs a third less than with pyzmq's enumerations."""


def runtime_directory(config: Config) -> Path:
    """Create the private folder for the sockets.

    Raises:
        ResourceError: it cannot be created.
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
    """Return the address that a line's server binds."""
    configured: str = getattr(config.TRANSPORT, line.key)
    return configured or _ipc(config, f"{line.key}.sock")


def connect(socket: zmq.Socket[bytes], config: Config, line: Line) -> None:
    """Connect a line's client to its server, which must have the right key.

    Raises:
        ConfigError: a key is missing.
    """
    secure_client(socket, config.TRANSPORT.KEYS, line.client, line.server)
    socket.connect(address_of(line, config))


def serve(socket: zmq.Socket[bytes], config: Config, line: Line, handler: Handler) -> Channel:
    """Bind a line's server, a ROUTER; it accepts only clients with the right key.

    Raises:
        ConfigError: a key is missing.
        ResourceError: the address is in use or not allowed.
    """
    address, keys, limits = address_of(line, config), config.TRANSPORT.KEYS, config.LIMITS
    max_bytes = limits.frameBytes + limits.bestshotBytes + SPARE_BYTES
    secure_server(socket, keys, line.server, max_bytes)
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
    """Start ZeroMQ's I/O threads, which inherit the CPU affinity of the calling thread."""
    zmq.Context.instance().socket(zmq.PAIR).close()


class Channel:
    """A socket whose messages the running loop passes to a callback.

    Args:
        socket: a ROUTER or a DEALER.
        handler: called with the peer and the message; the peer of a DEALER is b"".
        guard: authenticates the socket's clients; closed with the channel.
    """

    def __init__(
        self, socket: zmq.Socket[bytes], handler: Handler, guard: Guard | None = None
    ) -> None:
        self._socket = socket
        self._guard = guard
        self._closed = False
        self._routes = socket.type == zmq.ROUTER
        self._receive_part = socket.recv
        self._option: Callable[[int], int] = socket.getsockopt  # type: ignore[assignment]
        # The method of the base class: the one above it adds what only draft sockets need.
        self._send_part = super(zmq.Socket, socket).send
        self._handler = handler
        self._loop = asyncio.get_running_loop()
        self._scheduled = False
        self._descriptor: int = socket.getsockopt(zmq.FD)  # type: ignore[assignment]
        self._loop.add_reader(self._descriptor, self._drain)
        self._schedule()

    def send(self, message: bytes, peer: bytes = b"") -> bool:
        """Send without waiting; return False if the peer is gone or its queue is full."""
        try:
            if self._routes:
                self._send_part(peer, _AT_ONCE_AND_MORE)
            self._send_part(message, _AT_ONCE)
        except zmq.ZMQError as error:
            if error.errno in (zmq.EAGAIN, zmq.EHOSTUNREACH):
                return False
            raise
        finally:
            if not self._scheduled and self._option(_EVENTS) & _READABLE:
                self._schedule()
        return True

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._drain)

    def _drain(self) -> None:
        if self._closed:
            return
        # Handlers may send and consume the edge: no message is missed, since the drain continues.
        self._scheduled = True
        emptied = False
        try:
            emptied = self._receive_batch()
        finally:  # the channel must keep receiving after a handler raises
            self._scheduled = False
            if not emptied:
                self._schedule()

    def _receive_batch(self) -> bool:
        """Pass a batch of messages to the handler; return True when the socket is empty.

        The first receive is unconditional: a woken drain nearly always finds a message. After that,
        checking first costs a third of the exception that an empty socket raises.
        """
        for _ in range(BATCH):
            try:
                peer = self._receive_part(_AT_ONCE) if self._routes else b""
                message = self._rest() if self._routes else self._receive_part(_AT_ONCE)
            except zmq.Again:
                return True
            self._handler(peer, message)
            if not self._option(_EVENTS) & _READABLE:
                return True
        return False

    def _rest(self) -> bytes:
        """Receive the message after a peer's name, and discard any further parts."""
        part = self._receive_part(_AT_ONCE, copy=False)
        message = part.bytes
        while part.more:  # the next receive would take it for the name of a peer
            part = self._receive_part(_AT_ONCE, copy=False)
        return message

    def close(self) -> None:
        """Stop reading and close the socket at once."""
        self._closed = True
        self._loop.remove_reader(self._descriptor)
        self._socket.close(linger=0)
        if self._guard is not None:
            self._guard.close()
