"""How a role gets its part of the configuration, at its start and on SIGHUP.

``lunapass run`` sends parts through a socket that the role inherits (``PartSender``,
``PartSocket``). With systemd, the part is a file that the unit names (``PartFile``). Only a role
that is started by hand with ``--config`` reads the whole configuration, including the secrets of
other roles (``whole_file``).
"""

import logging
import os
import socket
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from shared.config.cells import of_cell
from shared.config.loading import SERVICE
from shared.config.parts import Part, pack, unpack
from shared.errors import ConfigError, os_errors

log = logging.getLogger(__name__)

_MARK = b"part"
"""Sent with each descriptor: a message must have at least one byte."""


class PartSource(Protocol):
    """Where a role gets its part."""

    part: Part

    def reload(self) -> Part | None:
        """Return the newest part; None if it is invalid, which is logged."""


def log_part(event: str, part: Part) -> None:
    """Log the generation that a role uses, so that roles and machines can be compared."""
    log.info("configuration %s", event, extra={"fields": {"generation": part.generation}})


class PartFile:
    """A file with the role's part, written by ``lunapass config parts``.

    Without a ``cell``, the part's own number of the cell on this machine is used.

    Raises:
        ConfigError: the file cannot be read, or is not a part of this role.
    """

    def __init__(self, role: str, path: Path, cell: int | None = None) -> None:
        self._role = role
        self._path = path
        self._cell = cell
        self.part = self._read()
        if unused := [name for name in os.environ if name.startswith(SERVICE.prefix)]:
            log.warning(
                "environment variables ignored here: %s; set them in lunapass-config.service",
                ", ".join(unused),
            )

    def reload(self) -> Part | None:
        """Read the file again."""
        try:
            return self._read()
        except ConfigError as error:
            log.error("configuration not reloaded: %s", error)
            return None

    def _read(self) -> Part:
        with os_errors(f"{self._path}: cannot be read", kind=ConfigError):
            data = self._path.read_bytes()
        part = unpack(data, self._role)
        return replace(part, config=of_cell(part.config, self._cell))


class PartSocket:
    """Parts from the supervisor, over an inherited socket to which at least one part has been sent.

    Raises:
        ConfigError: no part of this role was sent.
    """

    def __init__(self, role: str, descriptor: int) -> None:
        self._role = role
        with os_errors(f"inherited descriptor {descriptor}", kind=ConfigError):
            os.set_inheritable(descriptor, False)
            self._socket = socket.socket(fileno=descriptor)
        try:
            self._socket.setblocking(False)
            newest = self._newest()
            if newest is None:
                raise ConfigError(f"inherited descriptor {descriptor}: no configuration was sent")
        except BaseException:
            self.close()
            raise
        self.part = newest

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def reload(self) -> Part | None:
        """Return the newest part that was sent; if none was, the current one."""
        try:
            self.part = self._newest() or self.part
        except (ConfigError, OSError) as error:
            log.error("configuration not reloaded: %s", error)
            return None
        return self.part

    def _newest(self) -> Part | None:
        """Receive all parts that were sent and return the last one."""
        newest = None
        while True:
            try:
                mark, descriptors, _, _ = socket.recv_fds(self._socket, len(_MARK), 1)
            except BlockingIOError:
                return newest
            if not mark:  # the supervisor is gone
                return newest
            if not descriptors:
                raise ConfigError("the part was sent, but this process has too many open files")
            with os.fdopen(descriptors[0], "rb") as file:
                file.seek(0)
                newest = unpack(file.read(), self._role)


class PartSender:
    """The supervisor's end of one process's socket.

    A part is in a memory file, and its descriptor is the message: a part of any size arrives whole,
    and it is on no disk, in no environment and on no command line.
    """

    def __init__(self) -> None:
        kind = socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK
        self._near, self._far = socket.socketpair(socket.AF_UNIX, kind)

    @property
    def far_end(self) -> int:
        """Descriptor for the process to inherit."""
        return self._far.fileno()

    def inherited(self) -> None:
        """Close this process's copy of the far end after the child has inherited its own."""
        self._far.close()

    def send(self, part: Part) -> None:
        """Send a part.

        Raises:
            OSError: the process is gone, or has not read hundreds of parts.
        """
        descriptor = os.memfd_create("lunapass-part")
        with os.fdopen(descriptor, "wb") as file:
            file.write(pack(part))
            file.flush()
            socket.send_fds(self._near, [_MARK], [file.fileno()])

    def close(self) -> None:
        """Close both ends."""
        self._near.close()
        self._far.close()
