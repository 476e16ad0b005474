"""Passes the slab to the workers over a socket, since its memory has no path to open.

Both sides hold the connection open. When it ends, the gateway is gone, and the worker unmaps the
memory. The gateway's offer arrives on the workers' line and names the inode of the memory: another
process that listens on the socket's path cannot pass memory with that inode.
"""

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
MAX_HOLDERS = 256
"""Simultaneous connections; a cell has far fewer workers."""
PAUSE_SECONDS = 1.0
"""Pause when no file descriptor is left, as in asyncio's own servers."""
TIMEOUT_SECONDS = 2.0
"""A gateway passes the slab at once, unless it has ended or is suspended."""
_BACKLOG = 64
_MARK = b"S"
"""A descriptor must be sent with at least one byte."""


class SlabServer:
    """Passes a slab to each process of this user that connects; runs on the running loop.

    The socket is in a private folder. That of a dead gateway is replaced.

    Raises:
        ResourceError: the socket cannot be created.
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
        """The message that tells a worker where to get the slab, and which one it is."""
        return SlabOffer(str(self._path.absolute()), self._slab.name, self._slab.inode)

    def _listen(self) -> None:
        self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        """Pass the slab to one process; the loop calls again for the next."""
        try:
            holder, _ = self._listener.accept()
        except (BlockingIOError, ConnectionError):  # it has disconnected
            return
        except OSError as error:  # no descriptor is left; the listener would stay readable
            log.error("the frame slab cannot be passed to a worker: %s", error.strerror)
            self._loop.remove_reader(self._listener)
            self._resuming = self._loop.call_later(PAUSE_SECONDS, self._listen)
            return
        if len(self._holders) >= MAX_HOLDERS:
            holder.close()
            return
        holder.setblocking(False)
        try:
            socket.send_fds(holder, [_MARK], [self._slab.descriptor])
        except OSError:
            holder.close()
            return
        self._holders.add(holder)
        self._loop.add_reader(holder, self._drop, holder)

    def _drop(self, holder: socket.socket) -> None:
        """Close a connection: the other side has closed it, or sends data, which is not allowed."""
        self._loop.remove_reader(holder)
        self._holders.remove(holder)
        holder.close()

    def close(self) -> None:
        """Withdraw the slab: the workers unmap it."""
        if self._resuming is not None:
            self._resuming.cancel()
        self._loop.remove_reader(self._listener)
        self._listener.close()
        self._path.unlink(missing_ok=True)
        for holder in list(self._holders):
            self._drop(holder)


class LentSlab:
    """A slab that a gateway has passed to this worker, and the connection to that gateway.

    The constructor blocks for ``TIMEOUT_SECONDS`` at most.

    Raises:
        SlotError: the gateway is gone, or the received memory is not the offered one.
    """

    def __init__(self, offer: SlabOffer) -> None:
        self._line = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._line.settimeout(TIMEOUT_SECONDS)
        try:
            self._line.connect(offer.path)
            self.slab = _received(self._line, offer)
        except OSError as error:
            self._line.close()
            raise SlotError(f"the frame slab was not received: {error}") from error
        except SlotError:
            self._line.close()
            raise

    def is_of(self, offer: SlabOffer) -> bool:
        """Return whether this is the offered slab."""
        return (self.slab.name, self.slab.inode) == (offer.slab, offer.inode)

    @property
    def withdrawn(self) -> bool:
        """Whether the gateway that writes to the slab is gone."""
        poll = select.poll()
        poll.register(self._line, select.POLLIN)
        return bool(poll.poll(0))

    def close(self) -> None:
        """Unmap the memory."""
        self._line.close()
        self.slab.close()


def _received(line: socket.socket, offer: SlabOffer) -> Slab:
    _, descriptors, *_ = socket.recv_fds(line, len(_MARK), 1)
    if not descriptors:
        raise SlotError("the gateway sent no memory")
    try:
        if os.fstat(descriptors[0]).st_ino != offer.inode:
            raise SlotError("the received memory is not what the gateway offered")
        slab = Slab.of_descriptor(descriptors[0])
    except SlotError:
        os.close(descriptors[0])
        raise
    if slab.name != offer.slab:
        slab.close()
        raise SlotError("the received slab is not the one that the gateway offered")
    return slab
