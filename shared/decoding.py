"""Decodes a judged frame into pixels; the decoders release the GIL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import simplejpeg

from shared.errors import FrameError
from shared.estimation import Image
from shared.intake import Header

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
    else:
        np.copyto(target, _decode(data, header, target.shape))


def _jpeg_into(data: bytes, target: Image) -> None:
    try:
        decoded = simplejpeg.decode_jpeg(data, colorspace="BGR", buffer=target, strict=True)
    except ValueError as error:
        raise FrameError("the JPEG frame is damaged") from error
    if decoded.shape != target.shape:
        raise FrameError("the JPEG frame is not of the size its header says")


def _decode(data: bytes, header: Header, shape: tuple[int, ...]) -> Image:
    """Decode PNG, WebP, or a JPEG that must be turned."""
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise FrameError(f"the {header.format} frame is damaged") from error
    if image is None:
        raise FrameError(f"the {header.format} frame is damaged")
    turn = _UPRIGHT.get(header.orientation)
    upright: Image = (turn(image) if turn else image).astype(np.uint8, copy=False)
    if upright.shape != shape:
        raise FrameError(f"the {header.format} frame is not of the size its header says")
    return upright
