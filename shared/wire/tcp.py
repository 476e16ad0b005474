"""Progress of a TCP connection, as the kernel sees it: on Linux; other systems do not say."""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
import sys
import termios
from asyncio.trsock import TransportSocket

Line = socket.socket | TransportSocket


def unacknowledged_bytes(line: Line) -> int:
    """Bytes in the kernel's send buffer: the other end's TCP has not acknowledged them.

    That buffer may hold a whole message of some hundred kilobytes, so a message that is written is
    not a message that has arrived.
    """
    number = line.fileno()
    if sys.platform != "linux" or number < 0:
        return 0
    try:
        answer = fcntl.ioctl(number, termios.TIOCOUTQ, bytes(4))
    except OSError:  # another thread has closed it since; there is nothing to wait for
        return 0
    return int(struct.unpack("i", answer)[0])


def unread_bytes(transport: asyncio.WriteTransport) -> int:
    """Bytes that the other end's TCP has not acknowledged: in the transport and in the kernel."""
    waiting = transport.get_write_buffer_size()
    line = transport.get_extra_info("socket")
    if transport.is_closing() or line is None:  # its descriptor may be another's by now
        return waiting
    return waiting + unacknowledged_bytes(line)


def end_stalled_sends(line: Line, seconds: float) -> None:
    """Have the kernel end a connection on which sending makes no progress for so long.

    A program that waits to send more learns of it then; without this, after a quarter of an hour.
    """
    if sys.platform == "linux":
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, max(1, round(1000 * seconds)))
