"""Images in forms that no library writes, and images as Pillow reads them."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import cv2
import numpy as np
from PIL import Image as PillowImage

from shared.frame import exif
from shared.frame.estimation import Image
from tests.support.encoded_pictures import PNG_SIGNATURE, chunk


def noise(height: int, width: int, channels: int = 3, seed: int = 0) -> Image:
    """Return smooth noise, which looks different at every place."""
    grain = np.random.default_rng(seed).random((height, width, channels), np.float32)
    smooth = cv2.normalize(cv2.GaussianBlur(grain, (0, 0), 3), None, 0, 255, cv2.NORM_MINMAX)
    return np.asarray(smooth, np.uint8)


def png(
    width: int, height: int, depth: int, colour_type: int, rows: bytes, *chunks: bytes
) -> bytes:
    """Return a PNG of packed rows without filters; further chunks precede the pixels."""
    length = len(rows) // height
    lines = (b"\0" + rows[start : start + length] for start in range(0, len(rows), length))
    head = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    parts = (chunk(b"IHDR", head), *chunks, chunk(b"IDAT", zlib.compress(b"".join(lines))))
    return PNG_SIGNATURE + b"".join(parts) + chunk(b"IEND", b"")


def tiff(orientation: int, *, big_endian: bool = False) -> bytes:
    """Return EXIF data with an orientation."""
    order, mark = (">", b"MM\0*") if big_endian else ("<", b"II*\0")
    entry = struct.pack(order + "HHIHH", exif.ORIENTATION, 3, 1, orientation, 0)
    return mark + struct.pack(order + "IH", 8, 1) + entry + bytes(4)


def with_orientation(picture: bytes, orientation: int) -> bytes:
    """Return a JPEG, PNG or plain WebP with an EXIF orientation."""
    if picture.startswith(b"\xff\xd8"):
        block = exif.PREFIX + tiff(orientation)
        return picture[:2] + b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block + picture[2:]
    if picture.startswith(PNG_SIGNATURE):
        return picture[:-12] + chunk(b"eXIf", tiff(orientation)) + picture[-12:]
    return extended_webp(picture, (b"EXIF", tiff(orientation)))


def extended_webp(picture: bytes, *chunks: tuple[bytes, bytes], flags: int = 0x08) -> bytes:
    """Return a plain WebP as an extended file with further chunks after its pixels."""
    with PillowImage.open(BytesIO(picture)) as opened:
        width, height = opened.size
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = _riff(b"VP8X", bytes([flags, 0, 0, 0]) + sides) + picture[12:]
    return _riff(b"RIFF", b"WEBP" + body + b"".join(_riff(*chunk) for chunk in chunks))


def _riff(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def by_pillow(data: bytes) -> Image:
    """Return an image as Pillow reads it, without alpha and as stored: (height, width, 3) BGR."""
    with PillowImage.open(BytesIO(data)) as picture:
        # Pillow warns of a palette with alpha that loses its alpha at once.
        coloured = picture.convert("RGBA") if picture.mode == "P" else picture
        return np.asarray(coloured.convert("RGB"))[..., ::-1]
