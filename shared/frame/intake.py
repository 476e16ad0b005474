"""Checks an encoded image by its header, before any pixel is decoded.

Decoding a 0.4 MB PNG can take gigabytes and seconds; the first bytes of its header show that.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import Literal

from shared.config.service import LimitsSection
from shared.errors import FrameError
from shared.frame import jpeg, orientation, png, webp

Format = Literal["jpeg", "png", "webp"]

MAX_PADDING = 262_144
"""Bytes of a frame that encode no pixels: metadata, previews, data after the image. Of 101 images
from cameras and photographers, one had 32,131 and all others below 3,000. An EXIF block with its
thumbnail has up to 65,535."""
MAX_BYTES_PER_PIXEL = 8
"""Size of an uncompressed pixel with alpha at 16 bits; a JPEG of noise at the best quality needs
below four."""
_PIXEL_BYTES = {
    "jpeg": jpeg.pixel_bytes,
    "png": png.pixel_bytes,
    "webp": webp.pixel_bytes,
}


@dataclass(frozen=True, slots=True)
class Header:
    """Header of an encoded image: stored width and height, EXIF orientation 1..8 (1 is upright)."""

    format: Format
    width: int
    height: int
    orientation: int = orientation.UPRIGHT

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height in pixels of the upright image."""
        swapped = orientation.swaps_sides(self.orientation)
        return (self.height, self.width) if swapped else (self.width, self.height)

    def turned(self, rotation: int) -> Header:
        """Return the header with a clockwise rotation (90, 180, 270 degrees) added to EXIF's."""
        return replace(self, orientation=orientation.turned(self.orientation, rotation))


def judge(data: bytes, limits: LimitsSection) -> Header:
    """Read an image's header and check it against the limits.

    Raises:
        FrameError: the format is not accepted, or the image is larger than allowed.
    """
    if not data:
        raise FrameError("the frame is empty", code="frame.empty")
    require_bytes(len(data), limits)
    header = read(data)
    if header.format not in limits.frameFormats:
        raise FrameError(f"{header.format} is not accepted", code="frame.format")
    require_size(header.width, header.height, limits)
    require_little_padding(data, header)
    return header


def require_bytes(count: int, limits: LimitsSection) -> None:
    """Refuse an encoded image of too many bytes.

    Raises:
        FrameError: it has more than allowed.
    """
    if count > limits.frameBytes:
        raise FrameError(
            f"the frame has {count} bytes; at most {limits.frameBytes} are allowed",
            code="frame.too-big",
        )


def require_little_padding(data: bytes, header: Header) -> None:
    """Refuse a file that is mostly padding: it costs bandwidth, memory and disk for nothing.

    Files of at most ``MAX_PADDING`` bytes are not examined.

    Raises:
        FrameError: too many bytes encode no pixels, or exceed what that many pixels can need.
    """
    if len(data) <= MAX_PADDING:
        return
    try:
        padding = len(data) - _PIXEL_BYTES[header.format](data)
    except (struct.error, IndexError) as error:
        raise FrameError("the frame is cut off") from error
    pixels = header.width * header.height
    padding = max(padding, len(data) - MAX_BYTES_PER_PIXEL * pixels)
    if padding > MAX_PADDING:
        raise FrameError(
            f"{padding} bytes of the frame encode no pixels; at most {MAX_PADDING} are allowed",
            code="frame.padding",
        )


def require_size(width: int, height: int, limits: LimitsSection) -> None:
    """Refuse an image of too many pixels, or of none.

    Raises:
        FrameError: its size is not allowed.
    """
    too_large = (
        width > limits.frameWidth
        or height > limits.frameHeight
        or width * height > limits.framePixels
    )
    if too_large:
        raise FrameError(
            f"the frame has {width}x{height} pixels; at most "
            f"{limits.frameWidth}x{limits.frameHeight} and {limits.framePixels} in all are allowed",
            code="frame.too-many-pixels",
        )
    if width < 1 or height < 1:
        raise FrameError("the frame has no pixels")


def read(data: bytes) -> Header:
    """Read format, size and orientation.

    Raises:
        FrameError: the bytes are not an image of a known format.
    """
    try:
        if data[:3] == b"\xff\xd8\xff":
            return Header("jpeg", *jpeg.read(data))
        if data[:8] == png.SIGNATURE and data[12:16] == b"IHDR":
            return Header("png", *png.read(data))
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return Header("webp", *webp.read(data))
    except (struct.error, IndexError) as error:
        raise FrameError("the frame's header is cut off") from error
    raise FrameError("the frame is neither JPEG, PNG nor WebP", code="frame.format")
