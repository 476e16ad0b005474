"""Listening sockets: opened here, or inherited from whoever keeps them open over a restart.

systemd hands them over as descriptors from 3 on (``$LISTEN_FDS``, ``$LISTEN_PID``), ``lunapass
run`` names their numbers. Connections that come while no gateway runs wait in the kernel's queue
for the next one, so a restart refuses none.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from shared.config.service import Config
from shared.errors import ResourceError

FIRST_DESCRIPTOR = 3
BACKLOG = 1024
ANY_IPV6 = "::"
HOST_ERRORS = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
"""Not an address of this machine; no IPv6 here."""


@dataclass(frozen=True, slots=True)
class Listeners:
    """Sockets that accept clients.

    Attributes:
        sockets: the sockets.
        kept: a successor will accept what queues there, so a draining gateway stops accepting.
    """

    sockets: list[socket.socket]
    kept: bool = False

    def close(self) -> None:
        """Close this process's copies."""
        for listener in self.sockets:
            listener.close()

    @property
    def descriptors(self) -> list[int]:
        """Their numbers, to be handed on to a child."""
        return [listener.fileno() for listener in self.sockets]


def inherited(environment: Mapping[str, str] = os.environ) -> Listeners | None:
    """Take the sockets that systemd hands over; None where it does not.

    Raises:
        ResourceError: a descriptor is not a listening socket.
    """
    count = int(environment.get("LISTEN_FDS", "0"))
    if count < 1 or environment.get("LISTEN_PID") != str(os.getpid()):
        return None
    return adopt(range(FIRST_DESCRIPTOR, FIRST_DESCRIPTOR + count), kept=True)


def opened(config: Config) -> Listeners:
    """Open a cell's sockets: the port that all cells share, and its own where there is one.

    Raises:
        ResourceError: the host is not this machine's, or a port is taken or not allowed.
    """
    host, transport = config.LUNA_PASS.host, config.TRANSPORT
    sockets = _open(host, config.LUNA_PASS.port, shared=transport.cells > 1)
    if transport.cellPort:
        sockets += _open(host, transport.cellPort + transport.cell, shared=False)
    return Listeners(sockets)


def adopt(descriptors: Iterable[int], *, kept: bool) -> Listeners:
    """Make sockets of inherited descriptors.

    Raises:
        ResourceError: a descriptor is not a listening socket.
    """
    sockets = []
    for descriptor in descriptors:
        try:
            listener = socket.socket(fileno=descriptor)
            listening = listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        except OSError as error:
            raise ResourceError(
                f"inherited descriptor {descriptor}: {error.strerror}; it must be a socket"
            ) from error
        if not listening:
            listener.close()
            raise ResourceError(f"inherited descriptor {descriptor}: this socket does not listen")
        os.set_inheritable(descriptor, False)
        listener.setblocking(False)
        sockets.append(listener)
    return Listeners(sockets, kept)


def _open(host: str, port: int, *, shared: bool) -> list[socket.socket]:
    """Listen at every address of a host; ``::`` serves IPv4 clients too."""
    try:
        found = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        return [
            socket.create_server(
                address,
                family=family,
                backlog=BACKLOG,
                reuse_port=shared,
                dualstack_ipv6=host == ANY_IPV6 and socket.has_dualstack_ipv6(),
            )
            for family, _, _, _, address in dict.fromkeys(found)
        ]
    except (OSError, UnicodeError) as error:
        raise ResourceError(_why_not(error, host, port)) from error


def _why_not(error: OSError | UnicodeError, host: str, port: int) -> str:
    """Say what is wrong with a host and port, and which of the two settings to correct."""
    about_host = True
    if isinstance(error, UnicodeError):  # of a label that is empty or too long
        reason = "not a name"
    elif isinstance(error, socket.gaierror) or error.errno is None:  # no number of the system
        reason = str(error.strerror)
    else:
        reason = os.strerror(error.errno)
        about_host = error.errno in HOST_ERRORS
    if about_host:
        return (
            f"LUNA_PASS.host {host}: {reason}; set it to an address of this machine, to 0.0.0.0 "
            "for all IPv4 addresses, or to :: for all addresses of both families"
        )
    return f"port {port} on {host}: {reason}; set LUNA_PASS.port or end what holds it"
