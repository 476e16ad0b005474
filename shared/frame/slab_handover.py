"""Hands the slab to the workers over a socket, since its memory has no name to open it by.

Both sides keep the connection. Its end tells a worker that the gateway is gone, however it ended,
so that the worker lets go of the memory. The gateway's offer comes over the line of the workers and
says which memory must arrive: another process that listens at the path has none of that inode.
"""

from __future__ import annotations

import asyncio
import logging
import os
import select
import socket
from pathlib import Path

from shared.errors import ResourceError, SlotError
from shared.frame.slab import Slab
from shared.wire.messages import SlabOffer

log = logging.getLogger(__name__)

SOCKET = "slab.sock"
HOLDERS = 256
"""Connections at once; a cell has fewer workers by far."""
PAUSE = 1.0
"""Seconds to wait where no descriptor is left, as asyncio's own servers do."""
SECONDS = 2.0
"""For a gateway to hand the slab over; it does at once, unless it ended or stands still."""
_BACKLOG = 64
_MARK = b"S"
"""A descriptor travels with at least one byte."""


class SlabServer:
    """Hands a slab to each process of this user that connects; on the running loop.

    Args:
        slab: the slab.
        directory: private folder for the socket. What a dead gateway left there is replaced.

    Raises:
        ResourceError: the socket cannot be made.
    """

    def __init__(self, slab: Slab, directory: Path) -> None:
        self._slab = slab
        self._path = directory / SOCKET
        self._holders: set[socket.socket] = set()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.setblocking(False)
        try:
            self._path.unlink(missing_ok=True)
            self._listener.bind(str(self._path))
            self._path.chmod(0o600)
            self._listener.listen(_BACKLOG)
        except OSError as error:
            self._listener.close()
            raise ResourceError(
                f"{self._path}: {error.strerror}; check TRANSPORT.runtimeDirectory"
            ) from error
        self._loop = asyncio.get_running_loop()
        self._resuming: asyncio.TimerHandle | None = None
        self._listen()

    @property
    def offer(self) -> SlabOffer:
        """What tells a worker where the slab is to be had, and which one it is."""
        return SlabOffer(str(self._path.absolute()), self._slab.name, self._slab.inode)

    def _listen(self) -> None:
        self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        """Hand the slab to one process; the next is told by another event."""
        try:
            holder, _ = self._listener.accept()
        except (BlockingIOError, ConnectionError):  # it hung up meanwhile
            return
        except OSError as error:  # no descriptor is left; the listener would stay readable
            log.error("the frame slab cannot be handed over: %s", error.strerror)
            self._loop.remove_reader(self._listener)
            self._resuming = self._loop.call_later(PAUSE, self._listen)
            return
        if len(self._holders) >= HOLDERS:
            holder.close()
            return
        holder.setblocking(False)
        try:
            socket.send_fds(holder, [_MARK], [self._slab.descriptor])
        except OSError:
            holder.close()
            return
        self._holders.add(holder)
        self._loop.add_reader(holder, self._hear, holder)

    def _hear(self, holder: socket.socket) -> None:
        """Close a connection that the other side has closed, or that says what nobody asked for."""
        self._loop.remove_reader(holder)
        self._holders.remove(holder)
        holder.close()

    def close(self) -> None:
        """Take the slab back: workers let go of it."""
        if self._resuming is not None:
            self._resuming.cancel()
        self._loop.remove_reader(self._listener)
        self._listener.close()
        self._path.unlink(missing_ok=True)
        for holder in list(self._holders):
            self._hear(holder)


class LentSlab:
    """A slab that a gateway handed over, and the connection that ends with that gateway.

    Blocks for ``SECONDS`` at most.

    Args:
        offer: the gateway's.

    Raises:
        SlotError: the gateway is gone, or other memory than it offered came.
    """

    def __init__(self, offer: SlabOffer) -> None:
        self._line = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._line.settimeout(SECONDS)
        try:
            self._line.connect(offer.path)
            self.slab = _received(self._line, offer)
        except OSError as error:
            self._line.close()
            raise SlotError(f"the frame slab was not handed over: {error}") from error
        except SlotError:
            self._line.close()
            raise

    def is_of(self, offer: SlabOffer) -> bool:
        """Tell whether this is the slab that is offered."""
        return (self.slab.name, self.slab.inode) == (offer.slab, offer.inode)

    @property
    def withdrawn(self) -> bool:
        """Whether the gateway that writes to the slab is gone."""
        poll = select.poll()
        poll.register(self._line, select.POLLIN)
        return bool(poll.poll(0))

    def close(self) -> None:
        """Let go of the memory."""
        self._line.close()
        self.slab.close()


def _received(line: socket.socket, offer: SlabOffer) -> Slab:
    _, descriptors, *_ = socket.recv_fds(line, len(_MARK), 1)
    if not descriptors:
        raise SlotError("the gateway handed over no memory")
    try:
        if os.fstat(descriptors[0]).st_ino != offer.inode:
            raise SlotError("other memory than the gateway offered was handed over")
        slab = Slab.of_descriptor(descriptors[0])
    except SlotError:
        os.close(descriptors[0])
        raise
    if slab.name != offer.slab:
        slab.close()
        raise SlotError("another slab than the gateway offered was handed over")
    return slab
