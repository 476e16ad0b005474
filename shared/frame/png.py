"""Reads the chunks of a PNG file (ISO/IEC 15948)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from shared.errors import FrameError
from shared.frame import exif
from shared.frame.orientation import UPRIGHT

SIGNATURE = b"\x89PNG\r\n\x1a\n"
NEEDED = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
"""Chunks that make the pixels."""
ANIMATED = frozenset({b"acTL", b"fcTL", b"fdAT"})
MAX_CHUNKS = 4096
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Samples of a pixel by colour type."""
_SAMPLES = {0: 1, 2: 3}
"""Samples of a pixel by colour type, of the types for which one value may be transparent."""


def read(data: bytes) -> tuple[int, int, int]:
    """Read width and height in pixels, and the orientation 1..8.

    Raises:
        FrameError: a chunk is not whole or not known, or the picture is animated.
        struct.error: the header is cut off.
    """
    width, height = _size(data)
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


def picture_bytes(data: bytes) -> int:
    """Return the bytes that make the pixels: the palette, and no more data than they can need.

    Data of pixels may be followed by anything, and deflate can hide anything in blocks of no bytes.

    Raises:
        FrameError: a chunk is not whole or not known, or the picture is animated.
        struct.error: the header is cut off.
    """
    width, height = _size(data)
    bits = data[24] * CHANNELS.get(data[25], 4)
    # Each row has a byte for its filter. Deflate stores what it cannot compress at 5 bytes a block
    # of up to 65,535; encoders use blocks of 16 KiB and more.
    needed = height * (1 + (width * bits + 7) // 8)
    most = needed + needed // 1024 + 1024
    total, coded = 0, 0
    for kind, start, end in _chunks(data):
        if kind == b"IDAT":
            coded += end - start
        elif kind in NEEDED:
            total += end - start
    return total + min(coded, most)


def clear_samples(data: bytes) -> tuple[int, ...] | None:
    """Return the grey or the colour that a picture without an alpha channel declares transparent.

    Returns:
        One sample of grey, or three of RGB, scaled to 8 bits as decoders scale them; a grey of 16
        bits as it is; None where nothing is declared. Palettes have an alpha of their own.
    """
    depth, colour_type = data[24], data[25]
    count = _SAMPLES.get(colour_type, 0)
    for kind, start, end in _chunks(data) if count else ():
        if kind == b"tRNS":
            content = data[start + 8 : end - 4][: 2 * count]
            values = (int.from_bytes(content[at : at + 2], "big") for at in range(0, 2 * count, 2))
            if depth == 16:
                return tuple(value if count == 1 else value >> 8 for value in values)
            return tuple(value * 255 // (2**depth - 1) for value in values)
    return None


def _size(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


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
