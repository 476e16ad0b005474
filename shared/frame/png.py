"""Reads the chunks of a PNG file (ISO/IEC 15948)."""

import struct
from collections.abc import Iterator

from shared.errors import FrameError
from shared.frame import exif

SIGNATURE = b"\x89PNG\r\n\x1a\n"
NEEDED = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
"""Chunks that determine the pixels."""
ANIMATED = frozenset({b"acTL", b"fcTL", b"fdAT"})
MAX_CHUNKS = 4096
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Samples per pixel by colour type."""
_SAMPLES = {0: 1, 2: 3}
"""Samples per pixel by colour type, for the types that can declare one value transparent."""


def read(data: bytes) -> tuple[int, int, int]:
    """Read width and height in pixels, and the orientation 1..8.

    Raises:
        FrameError: a chunk is incomplete or unknown, or the image is animated.
        struct.error: the header is cut off.
    """
    width, height = _size(data)
    last_exif = b""
    for kind, start, end in _chunks(data):
        if kind == b"eXIf":
            last_exif = data[start + 8 : end - 4]
    return width, height, exif.orientation(last_exif)


def plain(data: bytes) -> bytes:
    """Return the PNG with only the chunks that determine its pixels.

    This removes profiles and texts, which may be decompression bombs, and everything that changes
    colours in some decoders only.

    Raises:
        FrameError: a chunk is incomplete or unknown, or the image is animated.
    """
    needed = (data[start:end] for kind, start, end in _chunks(data) if kind in NEEDED)
    return b"".join((SIGNATURE, *needed))


def pixel_bytes(data: bytes) -> int:
    """Return the number of bytes that encode pixels: the palette, and at most the data they need.

    Anything may follow the pixel data, and deflate can hide anything in blocks without output.

    Raises:
        FrameError: a chunk is incomplete or unknown, or the image is animated.
        struct.error: the header is cut off.
    """
    width, height = _size(data)
    bits = data[24] * CHANNELS.get(data[25], 4)
    # Each row has a byte for its filter. For incompressible data deflate adds 5 bytes per block of
    # up to 65,535 bytes; encoders use blocks of 16 KiB and more.
    needed = height * (1 + (width * bits + 7) // 8)
    max_coded = needed + needed // 1024 + 1024
    total, coded = 0, 0
    for kind, start, end in _chunks(data):
        if kind == b"IDAT":
            coded += end - start
        elif kind in NEEDED:
            total += end - start
    return total + min(coded, max_coded)


def clear_samples(data: bytes) -> tuple[int, ...] | None:
    """Return the grey or colour that an image without an alpha channel declares transparent.

    Returns:
        One sample of grey or three of RGB, scaled to 8 bits as decoders do; 16-bit grey unscaled;
        None if no colour is transparent. Palettes declare alpha in another way.
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
    """Yield kind, start and end of each chunk, including its length and checksum.

    Decoders trust a chunk's length: a chunk of 2 kB that claims 4 GB costs them gigabytes.

    Raises:
        FrameError: a chunk is incomplete or unknown, or the image is animated.
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
