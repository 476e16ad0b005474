"""Judges an encoded picture by its header, before a single pixel is decoded.

A 0.4 MB PNG may ask for gigabytes and seconds; its header tells so in its first bytes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

from shared.config import LimitsSection
from shared.errors import FrameError

Format = Literal["jpeg", "png", "webp"]

MAX_SCANS = 40
"""Scans of a progressive JPEG; each costs a pass over all pixels. Real ones have about ten."""
MAX_SEGMENTS = 200
EXIF = b"Exif\0\0"
ORIENTATION = 0x0112
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_NEEDED = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
PNG_ANIMATED = frozenset({b"acTL", b"fcTL", b"fdAT"})
MAX_CHUNKS = 4096
START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
SEQUENTIAL = frozenset({0xC0, 0xC1})
START_OF_SCAN = 0xDA
WITHOUT_LENGTH = frozenset({0x00, 0x01, *range(0xD0, 0xDA)})
"""Markers that stand alone; decoders pass over some in a header, and no encoder writes them."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a picture's header says.

    Attributes:
        format: kind of encoding.
        width: stored width in pixels, before any turn by ``orientation``.
        height: stored height in pixels.
        orientation: EXIF orientation 1..8; 1 is upright.
    """

    format: Format
    width: int
    height: int
    orientation: int = 1

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height in pixels of the picture once it is turned upright."""
        turned = self.orientation >= 5
        return (self.height, self.width) if turned else (self.width, self.height)


def judge(data: bytes, limits: LimitsSection) -> Header:
    """Read a picture's header and hold it against the limits.

    Raises:
        FrameError: the picture is of no accepted format, or larger than allowed.
    """
    if not data:
        raise FrameError("the frame is empty", code="frame.empty")
    if len(data) > limits.frameBytes:
        raise FrameError(
            f"the frame has {len(data)} bytes, at most {limits.frameBytes}", code="frame.too-big"
        )
    header = read(data)
    if header.format not in limits.frameFormats:
        raise FrameError(f"{header.format} is not accepted", code="frame.format")
    too_large = (
        header.width > limits.frameWidth
        or header.height > limits.frameHeight
        or header.width * header.height > limits.framePixels
    )
    if too_large:
        raise FrameError(
            f"the frame has {header.width}x{header.height} pixels, at most "
            f"{limits.frameWidth}x{limits.frameHeight} and {limits.framePixels} in all",
            code="frame.too-many-pixels",
        )
    if header.width < 1 or header.height < 1:
        raise FrameError("the frame has no pixels")
    return header


def read(data: bytes) -> Header:
    """Read format, size and orientation.

    Raises:
        FrameError: the bytes are no picture of a known format.
    """
    try:
        if data[:3] == b"\xff\xd8\xff":
            return _jpeg(data)
        if data[:8] == PNG_SIGNATURE and data[12:16] == b"IHDR":
            width, height = struct.unpack_from(">II", data, 16)
            return Header("png", width, height)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp(data)
    except (struct.error, IndexError) as error:
        raise FrameError("the frame's header is cut off") from error
    raise FrameError("the frame is neither JPEG, PNG nor WebP", code="frame.format")


def _jpeg(data: bytes) -> Header:
    position, orientation = 2, 1
    for _ in range(MAX_SEGMENTS):
        marker, content, position = _segment(data, position)
        if marker in START_OF_FRAME:
            height, width = struct.unpack_from(">HH", data, content + 1)
            if marker not in SEQUENTIAL or not _is_one_scan(data, position, data[content + 5]):
                _require_few_scans(data)
            return Header("jpeg", width, height, orientation)
        if marker == 0xE1 and data[content : content + 6] == EXIF:
            orientation = _orientation(data[content + 6 : position])
    raise FrameError("the frame's JPEG header is too long")


def _segment(data: bytes, position: int) -> tuple[int, int, int]:
    """Read a JPEG segment: its marker, where its content begins and where the next one does.

    Raises:
        FrameError: there is none.
    """
    while data[position] == 0xFF and data[position + 1] == 0xFF:
        position += 1
    marker = data[position + 1]
    if data[position] != 0xFF or marker in WITHOUT_LENGTH:
        raise FrameError("the frame's JPEG header is damaged")
    (length,) = struct.unpack_from(">H", data, position + 2)
    return marker, position + 4, position + 2 + length


def _is_one_scan(data: bytes, position: int, components: int) -> bool:
    """Tell whether the first scan holds all components of a sequential JPEG.

    A decoder stops after such a scan, however many follow.
    """
    try:
        for _ in range(MAX_SEGMENTS):
            marker, content, position = _segment(data, position)
            if marker == START_OF_SCAN:
                return data[content] == components
    except (FrameError, struct.error, IndexError):
        pass  # the decoder will find out
    return False


def _require_few_scans(data: bytes) -> None:
    if data.count(b"\xff\xda") > MAX_SCANS:
        raise FrameError(f"the frame has more than {MAX_SCANS} scans", code="frame.too-many-scans")


def _orientation(tiff: bytes) -> int:
    """Find the orientation in an EXIF block; whatever is odd there means upright."""
    try:
        order = {b"II": "<", b"MM": ">"}[tiff[:2]]
        (start,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, start)
        for index in range(min(count, 64)):
            entry = start + 2 + 12 * index
            tag, _, _, value = struct.unpack_from(order + "HHIH", tiff, entry)
            if tag == ORIENTATION and 1 <= value <= 8:
                return int(value)
    except (KeyError, struct.error):
        return 1
    return 1


def plain_png(data: bytes) -> bytes:
    """Keep of a PNG the chunks that make its pixels, and make sure that each is whole.

    Decoders believe the length of a chunk: one of 2 kB that claims 4 GB costs them gigabytes.
    Profiles and texts, which may be bombs of their own, are left out.

    Raises:
        FrameError: a chunk is not whole or not known, or the picture is animated.
    """
    kept, position = [PNG_SIGNATURE], len(PNG_SIGNATURE)
    for number in range(MAX_CHUNKS):
        length = int.from_bytes(data[position : position + 4], "big")
        kind = data[position + 4 : position + 8]
        end = position + 12 + length
        if kind in PNG_ANIMATED:
            raise FrameError("animated PNG is not accepted", code="frame.format")
        whole = len(kind) == 4 and end <= len(data) and (kind == b"IHDR") == (number == 0)
        if not whole or (kind not in PNG_NEEDED and kind[:1].isupper()):
            break
        if kind in PNG_NEEDED:
            kept.append(data[position:end])
        if kind == b"IEND":
            return b"".join(kept)
        position = end
    raise FrameError("the frame's PNG chunks are damaged")


def _webp(data: bytes) -> Header:
    kind = data[12:16]
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return Header("webp", width & 0x3FFF, height & 0x3FFF)
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return Header("webp", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if kind == b"VP8X":
        low_width, high_width, low_height, high_height = struct.unpack_from("<HBHB", data, 24)
        if data[20] & 0x02:
            raise FrameError("animated WebP is not accepted", code="frame.format")
        return Header(
            "webp", (low_width | high_width << 16) + 1, (low_height | high_height << 16) + 1
        )
    raise FrameError("the frame's WebP header is damaged")
