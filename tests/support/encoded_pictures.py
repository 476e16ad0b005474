"""Images that decoders may read differently: orientations, alpha, palettes, colour profiles."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.frame.estimation import Image

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
Alpha = NDArray[np.uint8]
"""Opacity of shape (height, width), 255 is opaque."""


def another_shot(image: Image) -> Image:
    """Return a further shot of an image: the same but for noise, as of a sensor, in some rows."""
    noise = np.random.default_rng().normal(0, 4, image.shape)
    noise[: image.shape[0] // 8] = noise[image.shape[0] // 4 :] = 0
    shot: Image = np.clip(image + noise, 0, 255).round().astype(np.uint8)
    return shot


def exif(orientation: int) -> bytes:
    """Return the TIFF block of an EXIF orientation."""
    return struct.pack("<2sHIHHHIHHI", b"II", 42, 8, 1, 0x0112, 3, 1, orientation, 0, 0)


def stored(upright: Image, orientation: int) -> Image:
    """Rotate an upright image as a camera with this EXIF orientation would store it."""
    turned = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    return np.ascontiguousarray(turned)


def jpeg(upright: Image, orientation: int = 1, *settings: int) -> bytes:
    """Encode as JPEG with an EXIF orientation; ``settings`` are OpenCV's."""
    chosen = [cv2.IMWRITE_JPEG_QUALITY, 92, *settings]
    data = bytes(cv2.imencode(".jpg", stored(upright, orientation), chosen)[1])
    block = b"Exif\0\0" + exif(orientation)
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + data[2:]


def chunk(kind: bytes, content: bytes) -> bytes:
    """Write a chunk of a PNG."""
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)


def png(
    rows: NDArray[np.unsignedinteger], colour: int, extra: Sequence[tuple[bytes, bytes]] = ()
) -> bytes:
    """Write a PNG.

    Args:
        rows: samples of shape (height, width, channels) in the PNG's order, 8 or 16 bit.
        colour: colour type: 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGB and alpha.
        extra: chunks before the pixels.
    """
    height, width = rows.shape[:2]
    depth = 8 * rows.itemsize
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    big = rows.astype(rows.dtype.newbyteorder(">"))
    lines = b"".join(b"\0" + line.tobytes() for line in big)
    return b"".join(
        [
            PNG_SIGNATURE,
            chunk(b"IHDR", head),
            *(chunk(kind, content) for kind, content in extra),
            chunk(b"IDAT", zlib.compress(lines)),
            chunk(b"IEND", b""),
        ]
    )


def with_alpha(colours: Image, painted: Image) -> tuple[Image, Alpha]:
    """Make colours that show one image alone, and another with their alpha over white.

    Args:
        colours: the image of a decoder that ignores alpha; it is darkened.
        painted: the image of a decoder that uses alpha; it is made grey and bright.

    Returns:
        Colours of shape (height, width, 3) and their alpha; no pixel is fully transparent, because
        encoders of WebP discard the colours of such pixels.
    """
    dark = colours.astype(np.float64) * 0.6
    bright = 165 + cv2.cvtColor(painted, cv2.COLOR_BGR2GRAY).astype(np.float64) * (90 / 255)
    alpha = (255 - bright) / (255 - dark.mean(axis=2))
    return np.uint8(dark.round()), np.uint8((255 * alpha).round().clip(1, 255))


def over_white(image: Image, alpha: Alpha) -> Image:
    """Return what a browser shows of an image with alpha on a white page."""
    share = alpha[..., None] / 255
    return np.asarray((image * share + 255 * (1 - share)).round(), np.uint8)
