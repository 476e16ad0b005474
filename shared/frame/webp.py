"""Reads the chunks of a WebP file (RFC 9649)."""

import struct

from shared.errors import FrameError
from shared.frame import exif
from shared.frame.orientation import UPRIGHT

MAX_CHUNKS = 256
_FIRST_CHUNK = 12
_HEAD = 8
ANIMATION_FLAG = 0x02
ANIMATED = frozenset({b"ANIM", b"ANMF"})
PIXEL_CHUNKS = frozenset({b"VP8 ", b"VP8L", b"ALPH"})
"""Chunks that encode the pixels."""


def read(data: bytes) -> tuple[int, int, int]:
    """Read width and height in pixels, and the orientation 1..8.

    Raises:
        FrameError: the image is animated, or the header is damaged.
        struct.error, IndexError: the header is cut off.
    """
    kind = data[_FIRST_CHUNK : _FIRST_CHUNK + 4]
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF, UPRIGHT
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, UPRIGHT
    if kind == b"VP8X":
        low_width, high_width, low_height, high_height = struct.unpack_from("<HBHB", data, 24)
        orientation = _orientation(data, animated=bool(data[20] & ANIMATION_FLAG))
        width, height = low_width | high_width << 16, low_height | high_height << 16
        return width + 1, height + 1, orientation
    raise FrameError("the frame's WebP header is damaged")


def pixel_bytes(data: bytes) -> int:
    """Return the number of bytes in the chunks that encode pixels; only what is present counts."""
    total, position = 0, _FIRST_CHUNK
    for _ in range(MAX_CHUNKS):
        content = position + _HEAD
        if content > len(data):
            break
        length = int.from_bytes(data[position + 4 : content], "little")
        if data[position : position + 4] in PIXEL_CHUNKS:
            total += min(length, len(data) - content)
        position = content + length + length % 2
    return total


def _orientation(data: bytes, *, animated: bool) -> int:
    """Find the orientation among the chunks of an extended file.

    Truncated chunks are left to the decoder, which refuses those that it needs.

    Raises:
        FrameError: the image is animated or has too many chunks.
    """
    last_exif, position = b"", _FIRST_CHUNK
    end = min(len(data), _HEAD + int.from_bytes(data[4:8], "little"))
    for _ in range(MAX_CHUNKS):
        kind = data[position : position + 4]
        if animated or kind in ANIMATED:
            raise FrameError("animated WebP is not accepted", code="frame.format")
        if position + _HEAD > end:
            return exif.orientation(last_exif)
        length = int.from_bytes(data[position + 4 : position + _HEAD], "little")
        content = position + _HEAD
        if kind == b"EXIF":
            last_exif = data[content : min(end, content + length)]
        position = content + length + length % 2
    raise FrameError(f"the WebP frame has more than {MAX_CHUNKS} chunks")
