"""Decodes JPEGs that simplejpeg refuses although all viewers show them the same.

simplejpeg reports only the first warning of a file, so a harmless first warning does not prove that
the image is complete. Pillow, which decodes any sampling, reports no warning at all. The proof is
to decode again with other bytes after the coded data of each restart interval: a decoder reads
them only if coded data is missing.
"""

import re
from io import BytesIO

import numpy as np
from PIL import Image as PillowImage

from shared.errors import FrameError
from shared.frame import jpeg
from shared.frame.estimation import Image

HARMLESS = re.compile(
    r"(\d+) extraneous bytes before marker"  # padding of webcams
    r"|determine subsampling level"  # valid sampling without a name in TurboJPEG
    r"|unknown JFIF revision"
    r"|Invalid SOS parameters for sequential JPEG"
)
"""simplejpeg's warnings that viewers ignore; a number in one is a count of bytes."""
PIXEL_SEGMENTS = frozenset({0xC4, 0xDA, 0xDB, 0xDD}) | jpeg.START_OF_FRAME
"""Segments that determine the pixels: tables, restart interval, frame and scan."""
JFIF, ADOBE = (0xE0, b"JFIF\0", 14), (0xEE, b"Adobe", 12)
"""Segments that define the colour space: marker, first bytes, minimum length."""
MAX_RESTARTS = 4096
"""Restart markers of a scan; an image within the default limits has some hundred."""
PROBES = (bytes.fromhex("f7b5fbd6 e9b7fd5b") * 4, bytes.fromhex("5ac396e1 3c78b52d") * 4)
"""Unlike the zeros that a decoder assumes for missing data. Their codes differ from the first bit
on, so rarely do both decode to what is missing."""


def is_harmless(warning: ValueError) -> bool:
    """Return whether a warning of simplejpeg does not mean that the image is damaged."""
    found = HARMLESS.search(str(warning))
    return found is not None and int(found[1] or 0) <= jpeg.MAX_PADDING


def decode(data: bytes, width: int, height: int) -> Image:
    """Decode a complete JPEG of a known size; its orientation is ignored.

    Raises:
        FrameError: it is damaged, or coded data is missing.
    """
    try:
        head, first = _head(data)
        spans = list(jpeg.scans(data, first))
    except IndexError as error:
        raise FrameError("the JPEG frame is damaged") from error
    end = spans[-1][1] + 2
    image = _pixels(head + data[first:end], width, height)
    for probe in PROBES:
        probed = _pixels(head + _with_probe(data, first, spans, probe), width, height)
        if not np.array_equal(image, probed):
            raise FrameError("the JPEG frame is damaged")
    return image


def _head(data: bytes) -> tuple[bytes, int]:
    """Return the header without metadata, and the position of the first scan's marker."""
    kept = [data[:2]]
    for marker, content, end in jpeg.header_segments(data):
        if marker == jpeg.START_OF_SCAN:
            break
        defines_colours = any(
            marker == kind and data.startswith(prefix, content) and end - content >= min_length
            for kind, prefix, min_length in (JFIF, ADOBE)
        )
        if marker in PIXEL_SEGMENTS or defines_colours:
            kept.append(data[content - 4 : end])
    return b"".join(kept), content - 4


def _with_probe(data: bytes, first: int, spans: list[tuple[int, int]], probe: bytes) -> bytes:
    """Return the scans and the end marker, with a probe after each restart interval.

    A scan's last interval is followed by one more: a decoder reads it if intervals are missing.

    Raises:
        FrameError: restart markers are missing, out of order or too many.
    """
    parts: list[bytes] = []
    position = first
    for start, end in spans:
        restarts = jpeg.restarts(data, start, end)
        if len(restarts) > MAX_RESTARTS:
            raise FrameError(f"the JPEG frame has more than {MAX_RESTARTS} restart markers")
        for number, restart in enumerate(restarts):
            if data[restart + 1] != _restart_marker(number):
                raise FrameError("the JPEG frame is damaged")
            parts += (data[position:restart], probe)
            position = restart
        one_more = bytes((0xFF, _restart_marker(len(restarts))))
        parts += (data[position:end], probe, one_more, probe)
        position = end
    return b"".join((*parts, data[position : position + 2]))


def _restart_marker(number: int) -> int:
    return jpeg.RESTART + number % 8


def _pixels(data: bytes, width: int, height: int) -> Image:
    try:
        with PillowImage.open(BytesIO(data), formats=("JPEG",)) as image:
            if image.size != (width, height):
                raise FrameError("the JPEG frame is not of the size in its header")
            rgb = np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:  # what Pillow raises for damaged files
        raise FrameError("the JPEG frame is damaged") from error
    return rgb[..., ::-1]
