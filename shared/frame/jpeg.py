"""Reads the structure of a JPEG file: segments, scans and the end (ITU-T T.81, annex B)."""

import struct
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from shared.errors import FrameError
from shared.frame import exif

MAX_SCANS = 40
"""Scans of a progressive JPEG; each costs a pass over all pixels. Real ones have about ten."""
MAX_SEGMENTS = 200
MAX_PADDING = 64
"""Padding bytes before a marker. Webcams write up to ten."""
END = 0xD9
START_OF_SCAN = 0xDA
SCAN = bytes((0xFF, START_OF_SCAN))
RESTART, RESTART_MASK = 0xD0, 0xF8
"""Restart markers 0xD0 to 0xD7, which occur inside the coded data of a scan."""
FIRST_WINDOW, WINDOW = 256, 65_536
"""Bytes of coded data to search at a time: at first, and at most."""
FILL = b"\xff\xff"
"""Any number of 0xFF may precede a marker. In coded data, FF FF occurs only as such fill bytes."""
NO_MARKER = (0x00, 0xFF)
"""Values that do not make a marker of a preceding 0xFF."""
MIN_LENGTH = 2
"""Length of an empty segment: the field counts its own two bytes."""
TABLES = frozenset({0xC4, 0xDB, 0xDD})
"""Huffman and quantisation tables, and the restart interval."""
EXIF_SEGMENT = 0xE1
START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
SEQUENTIAL = frozenset({0xC0, 0xC1})
SHOWN_BY_ALL = SEQUENTIAL | {0xC2}
"""Frames that browsers show: Huffman-coded, sequential or progressive."""
WITHOUT_LENGTH = frozenset({0x00, 0x01, *range(0xD0, 0xDA)})
"""Markers without a segment; some decoders skip them in a header, but no encoder writes them."""

Segment = tuple[int, int, int]
"""A marker, and the start and end of its segment's content."""


def read(data: bytes) -> tuple[int, int, int]:
    """Read width and height in pixels, and the orientation 1..8.

    Raises:
        FrameError: the header is damaged, the kind of JPEG is not accepted, or there are too many
            scans.
        struct.error, IndexError: the header is cut off.
    """
    frame, size, last_exif = 0, (0, 0, 0), b""
    for marker, content, end in header_segments(data):
        if marker in START_OF_FRAME:
            if frame:
                raise FrameError("the frame's JPEG header is damaged")
            frame, size = marker, _size(data, marker, content)
        elif marker == EXIF_SEGMENT and data.startswith(exif.PREFIX, content):
            last_exif = data[content:end]
    if not frame:
        raise FrameError("the frame's JPEG header is damaged")
    width, height, components = size
    # A decoder stops after a sequential scan of all components and ignores further scans.
    if frame not in SEQUENTIAL or data[content] != components:
        _require_few_scans(data, content - 4)
    return width, height, exif.orientation(last_exif)


def header_segments(data: bytes) -> Iterator[Segment]:
    """Yield the segments of the header, up to and including the first scan's header.

    Raises:
        FrameError: the header is damaged or too long.
        IndexError: it is cut off.
    """
    position = 2
    for _ in range(MAX_SEGMENTS):
        # Padding is rare, so the usual ten segments cost no call.
        if data[position] != 0xFF or data[position + 1] in NO_MARKER:
            position = _next_marker(data, position)
        marker = data[position + 1]
        if marker in WITHOUT_LENGTH:
            break
        length = data[position + 2] << 8 | data[position + 3]
        if length < MIN_LENGTH:
            break
        end = position + 2 + length
        yield marker, position + 4, end
        if marker == START_OF_SCAN:
            return
        position = end
    else:
        raise FrameError("the frame's JPEG header is too long")
    raise FrameError("the frame's JPEG header is damaged")


def scans(data: bytes, position: int) -> Iterator[tuple[int, int]]:
    """Yield start and end of each scan's coded data, from the first scan's marker to the end.

    Decoders see the same scans: they stop at the same markers in coded data, and ignore what is
    inside a segment or after the end.

    Raises:
        FrameError: the structure is damaged, or the end is missing.
        IndexError: a segment is cut off.
    """
    for _ in range(MAX_SEGMENTS):
        position = _next_segment(data, position)
        marker = data[position + 1]
        if marker == END:
            return
        if marker in WITHOUT_LENGTH:
            raise FrameError("the JPEG frame is damaged")
        end = _end(data, position)
        if marker == START_OF_SCAN:
            yield end, _next_segment(data, end)
        position = end
    raise FrameError("the JPEG frame has too many segments")


def pixel_bytes(data: bytes) -> int:
    """Return the number of bytes that encode pixels: tables, headers, coded data without fill.

    Tables between the scans of a progressive image, some hundred bytes, are not counted.

    Raises:
        FrameError: the structure is damaged, or the end is missing.
        IndexError: it is cut off.
    """
    total, frame, components = 0, 0, 0
    for marker, content, end in header_segments(data):
        if marker in TABLES or marker in START_OF_FRAME or marker == START_OF_SCAN:
            total += end - content
        if marker in START_OF_FRAME:
            frame, components = marker, data[content + 5]
    one_scan = frame in SEQUENTIAL and data[content] == components
    for start, end in scans(data, content - 4):
        total += end - start - len(FILL) * data.count(FILL, start, end)
        if one_scan:  # decoders stop after it
            break
    return total


def restarts(data: bytes, start: int, end: int) -> list[int]:
    """Return the positions of the restart markers in the coded data of a scan."""
    markers, kinds = _markers(data, start, end)
    found: list[int] = (markers[kinds & RESTART_MASK == RESTART] + start).tolist()
    return found


def _next_segment(data: bytes, position: int) -> int:
    """Return the position of the first marker after coded data.

    It compares whole windows: data of nothing but stuffed bytes (FF 00) would take a loop or a
    regular expression a tenth of a second. The windows grow, because the marker may be near: a file
    may have ``MAX_SEGMENTS``, and a large window for each would cost as much as 13 MB of data.
    """
    marker = data[position + 1 : position + 2]  # the usual place after a segment costs no search
    if marker and data[position] == 0xFF and _ends_data(marker[0]):
        return position
    start, window = position, FIRST_WINDOW
    while start < len(data) - 1:
        markers, kinds = _markers(data, start, start + window + 1)
        found = markers[kinds & RESTART_MASK != RESTART]
        if len(found):
            return start + int(found[0])
        start, window = start + window, min(2 * window, WINDOW)
    raise FrameError("the JPEG frame has no end")


def _ends_data(value: int) -> bool:
    """Return whether 0xFF and this value make a marker that is not inside coded data."""
    return value not in NO_MARKER and value & RESTART_MASK != RESTART


def _markers(data: bytes, start: int, end: int) -> tuple[NDArray[np.intp], NDArray[np.uint8]]:
    """Find the markers between two positions: their offsets from ``start``, and their kinds."""
    values = np.frombuffer(memoryview(data)[start:end], np.uint8)
    first, second = values[:-1], values[1:]
    # 0 wraps to 255, so one comparison excludes both FF 00 and FF FF.
    markers = np.flatnonzero((first == 0xFF) & (second - np.uint8(1) < 0xFE))
    return markers, second[markers]


def _next_marker(data: bytes, position: int) -> int:
    """Return the position of the header's next marker, after fill and padding bytes."""
    for candidate in range(position, position + MAX_PADDING):
        if data[candidate] == 0xFF and data[candidate + 1] not in NO_MARKER:
            return candidate
    raise FrameError("the frame's JPEG header is damaged")


def _end(data: bytes, position: int) -> int:
    length = data[position + 2] << 8 | data[position + 3]
    if length < MIN_LENGTH:
        raise FrameError("the frame's JPEG header is damaged")
    return position + 2 + length


def _size(data: bytes, marker: int, content: int) -> tuple[int, int, int]:
    """Read width, height and number of components of a frame header."""
    precision, height, width, components = struct.unpack_from(">BHHB", data, content)
    if marker not in SHOWN_BY_ALL or precision != 8:
        raise FrameError("JPEG of this kind is not accepted", code="frame.format")
    return width, height, components


def _require_few_scans(data: bytes, position: int) -> None:
    if data.count(SCAN, position) <= MAX_SCANS:  # an upper bound, which most images pass
        return
    for number, _ in enumerate(scans(data, position), start=1):
        if number > MAX_SCANS:
            raise FrameError(
                f"the frame has more than {MAX_SCANS} scans", code="frame.too-many-scans"
            )
