"""Reads the orientation from EXIF data (CIPA DC-008)."""

import struct

from shared.frame.orientation import UPRIGHT

PREFIX = b"Exif\0\0"
"""Precedes the data in a JPEG; some encoders write it into WebP and PNG too."""
ORIENTATION = 0x0112
MAX_ENTRIES = 64


def orientation(data: bytes) -> int:
    """Return the orientation 1..8; invalid data means upright."""
    tiff = data.removeprefix(PREFIX)
    try:
        order = {b"II": "<", b"MM": ">"}[tiff[:2]]
        (start,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, start)
        for index in range(min(count, MAX_ENTRIES)):
            entry = start + 2 + 12 * index
            tag, _, _, value = struct.unpack_from(order + "HHIH", tiff, entry)
            if tag == ORIENTATION and 1 <= value <= 8:
                return int(value)
    except (KeyError, struct.error):
        return UPRIGHT
    return UPRIGHT
