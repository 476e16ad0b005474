"""A binary message in one frame, read without the WebSocket library's parser.

The parser makes some 25 calls for a frame and copies its bytes three times. Nearly all bytes that
clients send are such messages: images. The library parses everything else: texts, fragments,
control frames, and frames that it refuses.
"""

import struct

from websockets.frames import Opcode

WHOLE_BINARY = 0x80 | Opcode.BINARY
"""First byte of a binary message in one frame, without extensions (RFC 6455, 5.2)."""
MASKED = 0x80
_HEADS = {126: struct.Struct("!xxH4s"), 127: struct.Struct("!xxQ4s")}
"""Heads with a longer size field, by the value of the short one."""
_SHORT_HEAD = 6


class BinaryFrame:
    """A frame that is being received: bytes still missing, and the payload so far, still masked."""

    __slots__ = ("_buffer", "mask", "masked", "missing")

    def __init__(self, mask: bytes, size: int) -> None:
        self.mask = mask
        self.missing = size
        # Not a list of pieces: a client may send each byte alone.
        self._buffer = bytearray()
        self.masked: bytearray | memoryview = self._buffer

    def add(self, data: bytes, position: int) -> int:
        """Take bytes of the payload from a position on; return the position after them."""
        part = memoryview(data)[position : position + self.missing]
        self.missing -= len(part)
        if self.missing or self._buffer:
            self._buffer += part
        else:  # the usual case, which needs no copy
            self.masked = part
        return position + len(part)


def begin(data: bytes, position: int, max_size: int) -> tuple[BinaryFrame, int] | None:
    """Read the head of a frame that starts at a position before the end of the received bytes.

    Returns:
        The frame and the position of its payload; None for all other frames, too large ones
        included, and for an incomplete head.
    """
    rest = len(data) - position
    if data[position] != WHOLE_BINARY or rest < _SHORT_HEAD or data[position + 1] < MASKED:
        return None
    size, start = data[position + 1] - MASKED, position + _SHORT_HEAD
    mask = data[start - 4 : start]
    if (longer := _HEADS.get(size)) is not None:
        if rest < longer.size:
            return None
        size, mask = longer.unpack_from(data, position)
        start = position + longer.size
    return (BinaryFrame(mask, size), start) if size <= max_size else None
