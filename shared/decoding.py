"""Decodes a judged frame into pixels; the decoders release the GIL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import simplejpeg

from shared.errors import FrameError
from shared.estimation import Image
from shared.intake import Header, plain_png

cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
"""Else whoever sends damaged pictures writes lines of their choice into the log."""

_UPRIGHT: dict[int, Callable[[Any], Any]] = {
    2: lambda image: cv2.flip(image, 1),
    3: lambda image: cv2.rotate(image, cv2.ROTATE_180),
    4: lambda image: cv2.flip(image, 0),
    5: cv2.transpose,
    6: lambda image: cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE),
    7: lambda image: cv2.rotate(cv2.transpose(image), cv2.ROTATE_180),
    8: lambda image: cv2.rotate(image, cv2.ROTATE_90_COUNTERCLOCKWISE),
}
"""What makes a picture of each EXIF orientation upright."""


def decode_into(target: Image, data: bytes, header: Header) -> None:
    """Decode a frame, upright, into pixels of ``header.upright_size``: (height, width, 3) BGR.

    Raises:
        FrameError: the bytes do not decode to the picture that the header promised.
    """
    if header.format == "jpeg" and header.orientation == 1:
        _jpeg_into(data, target)
        return
    if header.format == "jpeg":
        stored = np.empty((header.height, header.width, 3), np.uint8)
        _jpeg_into(data, stored)
        decoded: Image = np.asarray(_UPRIGHT[header.orientation](stored), np.uint8)
    else:
        decoded = _decode(data, header)
    if decoded.shape != target.shape:
        raise FrameError(f"the {header.format} frame is not of the size its header says")
    np.copyto(target, decoded)


def _jpeg_into(data: bytes, target: Image) -> None:
    """Decode a JPEG into a buffer, which the decoder never leaves.

    A JPEG can be made to tell a hasty reader one size and its decoder another; a decoder that
    makes its own buffer would then take whatever memory the second one asks for.
    """
    try:
        decoded = simplejpeg.decode_jpeg(data, colorspace="BGR", buffer=target, strict=True)
    except ValueError as error:
        raise FrameError("the JPEG frame is damaged") from error
    if decoded.shape != target.shape:
        raise FrameError("the JPEG frame is not of the size its header says")


def _decode(data: bytes, header: Header) -> Image:
    """Decode PNG or WebP, whose sizes stand where ``shared.intake`` reads them and nowhere else."""
    data = plain_png(data) if header.format == "png" else data
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise FrameError(f"the {header.format} frame is damaged") from error
    if image is None:
        raise FrameError(f"the {header.format} frame is damaged")
    return np.asarray(image, np.uint8)
