"""Reads the chunks of a PNG file (ISO/IEC 15948)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from shared import exif
from shared.errors import FrameError
from shared.orientation import UPRIGHT

SIGNATURE = b"\x89PNG\r\n\x1a\n"
NEEDED = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
"""Chunks that make the pixels."""
ANIMATED = frozenset({b"acTL", b"fcTL", b"fdAT"})
MAX_CHUNKS = 4096
GREY = 0
"""Colour type of samples of grey without alpha."""


def read(data: bytes) -> tuple[int, int, int]:
    """Read width and height in pixels, and the orientation 1..8.

    Raises:
        FrameError: a chunk is not whole or not known, or the picture is animated.
        struct.error: the header is cut off.
    """
    width, height = struct.unpack_from(">II", data, 16)
    orientation = UPRIGHT
    for kind, start, end in _chunks(data):
        if kind == b"eXIf":
            orientation = exif.orientation(data[start + 8 : end - 4])
    return width, height, orientation


def plain(data: bytes) -> bytes:
    """Return the picture with nothing but the chunks that make its pixels.

    Profiles and texts, which may be bombs of their own, are left out, and so is everything that
    changes colours in some decoders only.

    Raises:
        FrameError: a chunk is not whole or not known, or the picture is animated.
    """
    needed = (data[start:end] for kind, start, end in _chunks(data) if kind in NEEDED)
    return b"".join((SIGNATURE, *needed))


def transparent_grey(data: bytes) -> int | None:
    """Return the grey that a picture without an alpha channel declares transparent.

    Returns:
        The value, scaled to 8 bits as decoders scale samples of fewer bits; a sample of 16 bits
        as it is; None where no grey is transparent.
    """
    depth, colour_type = data[24], data[25]
    if colour_type != GREY:
        return None
    for kind, start, end in _chunks(data):
        if kind == b"tRNS":
            value = int.from_bytes(data[start + 8 : end - 4][:2], "big")
            return value if depth >= 8 else value * 255 // (2**depth - 1)
    return None


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end of each chunk, its length and checksum included.

    Decoders trust the length of a chunk: one of 2 kB that claims 4 GB costs them gigabytes.

    Raises:
        FrameError: a chunk is not whole or not known, or the picture is animated.
    """
    position = len(SIGNATURE)
    for number in range(MAX_CHUNKS):
        kind = data[position + 4 : position + 8]
        end = position + 12 + int.from_bytes(data[position : position + 4], "big")
        if kind in ANIMATED:
            raise FrameError("animated PNG is not accepted", code="frame.format")
        whole = len(kind) == 4 and end <= len(data) and (kind == b"IHDR") == (number == 0)
        if not whole or (kind not in NEEDED and kind[:1].isupper()):
            break
        yield kind, position, end
        if kind == b"IEND":
            return
        position = end
    raise FrameError("the frame's PNG chunks are damaged")
