"""Progress of a TCP connection as reported by the Linux kernel; other systems report none."""

import asyncio
import socket
import struct
import sys
from asyncio.trsock import TransportSocket

if sys.platform == "linux":  # Windows has neither
    import fcntl
    import termios

Line = socket.socket | TransportSocket


def unacknowledged_bytes(line: Line) -> int:
    """Return the bytes in the kernel's send buffer that the peer's TCP has not acknowledged.

    The buffer can hold a whole message of some hundred kilobytes, so a written message has not
    necessarily arrived.
    """
    number = line.fileno()
    if sys.platform != "linux" or number < 0:
        return 0
    try:
        answer = fcntl.ioctl(number, termios.TIOCOUTQ, bytes(4))
    except OSError:  # closed by another thread meanwhile; there is nothing to wait for
        return 0
    return int(struct.unpack("i", answer)[0])


def unread_bytes(transport: asyncio.WriteTransport) -> int:
    """Return the bytes in the transport and the kernel that the peer's TCP has not acknowledged."""
    waiting = transport.get_write_buffer_size()
    line = transport.get_extra_info("socket")
    if transport.is_closing() or line is None:  # its descriptor may have been reused
        return waiting
    return waiting + unacknowledged_bytes(line)


def end_stalled_sends(line: Line, seconds: float) -> None:
    """Have the kernel end a connection that makes no progress in sending for some seconds.

    By default, the kernel gives up only after about 15 minutes.
    """
    if sys.platform == "linux":
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, max(1, round(1000 * seconds)))
