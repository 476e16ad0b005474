"""Listening sockets: opened here, or inherited from a parent that holds them across restarts.

systemd passes them as descriptors from 3 upwards (``$LISTEN_FDS``, ``$LISTEN_PID``); ``lunapass
run`` passes their numbers. While no gateway runs, new connections wait in the kernel's queue for
the next gateway, so a restart refuses none.
"""

import errno
import os
import re
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from shared.config.service import Config
from shared.errors import ResourceError, os_errors

FIRST_DESCRIPTOR = 3
BACKLOG = 1024
ANY_IPV6 = "::"
HOST_ERRORS = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
"""The host is not an address of this machine, or the machine has no IPv6."""


@dataclass(frozen=True, slots=True)
class Listeners:
    """Listening sockets of a gateway.

    If they are ``inherited``, the parent holds them too and a successor will accept the queued
    connections, so a draining gateway stops accepting.
    """

    sockets: list[socket.socket]
    inherited: bool = False

    def close(self) -> None:
        """Close this process's copies."""
        for listener in self.sockets:
            listener.close()

    @property
    def descriptors(self) -> list[int]:
        """Their numbers, to pass on to a child."""
        return [listener.fileno() for listener in self.sockets]


def inherited_listeners(environment: Mapping[str, str] = os.environ) -> Listeners | None:
    """Take over the sockets that systemd passes; None if it passes none.

    Raises:
        ResourceError: a descriptor is not a listening socket, or their number is none.
    """
    text = environment.get("LISTEN_FDS", "0")
    if environment.get("LISTEN_PID") != str(os.getpid()):
        return None
    if not re.fullmatch(r"[0-9]{1,4}", text):
        raise ResourceError(f"LISTEN_FDS is {text[:60]!r}; allowed: a number; start by systemd")
    count = int(text)
    if count == 0:
        return None
    return adopt(range(FIRST_DESCRIPTOR, FIRST_DESCRIPTOR + count), inherited=True)


def open_listeners(config: Config) -> Listeners:
    """Open a cell's sockets: the port that all cells share, and the cell's own port if it has one.

    Raises:
        ResourceError: the host is not an address of this machine, or a port is in use or forbidden.
    """
    host, transport = config.LUNA_PASS.host, config.TRANSPORT
    sockets = _open(host, config.LUNA_PASS.port, shared=transport.cells > 1)
    if transport.cellPort:
        sockets += _open(host, transport.cellPort + transport.cell, shared=False)
    return Listeners(sockets)


def adopt(descriptors: Iterable[int], *, inherited: bool) -> Listeners:
    """Make sockets from descriptors of the parent.

    Raises:
        ResourceError: a descriptor is not a listening socket.
    """
    sockets = []
    for descriptor in descriptors:
        with os_errors(f"inherited descriptor {descriptor}", "it must be a socket"):
            listener = socket.socket(fileno=descriptor)
            listening = listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        if not listening:
            listener.close()
            raise ResourceError(f"inherited descriptor {descriptor}: this socket does not listen")
        os.set_inheritable(descriptor, False)
        listener.setblocking(False)
        sockets.append(listener)
    return Listeners(sockets, inherited)


def _open(host: str, port: int, *, shared: bool) -> list[socket.socket]:
    """Listen on every address of a host; ``::`` also accepts IPv4 clients."""
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
    """Describe what is wrong with a host and port, and which of the two settings to correct."""
    about_host = True
    if isinstance(error, UnicodeError):  # an empty or too long label
        reason = "not a valid name"
    elif isinstance(error, socket.gaierror) or error.errno is None:  # not an errno
        reason = str(error.strerror)
    else:
        reason = os.strerror(error.errno)
        about_host = error.errno in HOST_ERRORS
    if about_host:
        return (
            f"LUNA_PASS.host {host}: {reason}; set it to an address of this machine, to 0.0.0.0 "
            "for all IPv4 addresses, or to :: for all addresses of both families"
        )
    return f"port {port} on {host}: {reason}; set LUNA_PASS.port or stop the process that uses it"
