"""Decodes a judged frame into pixels; the decoders release the GIL."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from shared import intake, lenient_jpeg, png
from shared.config import LimitsSection
from shared.errors import FrameError
from shared.estimation import Image
from shared.intake import Header
from shared.orientation import UPRIGHT, upright

Samples = NDArray[Any]
"""Samples of 8 or 16 bits, (height, width) grey or (height, width, 3 or 4) BGR and alpha."""

cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
"""Else whoever sends damaged pictures writes lines of their choice into the log."""


def decode(data: bytes, limits: LimitsSection, rotation: int = 0) -> Image:
    """Judge a frame's header, then decode the frame upright: (height, width, 3) BGR.

    Args:
        data: the encoded frame.
        limits: bounds of a frame.
        rotation: degrees to turn it clockwise beyond what EXIF says, a multiple of 90.

    Raises:
        FrameError: the frame is refused.
    """
    header = intake.judge(data, limits).turned(rotation)
    width, height = header.upright_size
    target: Image = np.empty((height, width, 3), np.uint8)
    decode_into(target, data, header)
    return target


def decode_into(target: Image, data: bytes, header: Header) -> None:
    """Decode a frame, upright, into pixels of ``header.upright_size``: (height, width, 3) BGR.

    Raises:
        FrameError: the bytes do not decode to the picture that the header promised, or the
            picture is not opaque.
    """
    if header.format == "jpeg" and header.orientation == UPRIGHT:
        _jpeg_into(data, target)
        return
    if header.format == "jpeg":
        stored: Image = np.empty((header.height, header.width, 3), np.uint8)
        _jpeg_into(data, stored)
    else:
        stored = _opaque(data, header)
    decoded = upright(stored, header.orientation)
    if decoded.shape != target.shape:
        raise FrameError(f"the {header.format} frame is not of the size its header says")
    np.copyto(target, decoded)


def _jpeg_into(data: bytes, target: Image) -> None:
    """Decode a JPEG into a buffer, which the decoder never leaves.

    A JPEG can be made to show a hasty reader one size and its decoder another; a decoder that
    makes its own buffer would then take whatever memory the second one asks for.
    """
    try:
        decoded = simplejpeg.decode_jpeg(data, colorspace="BGR", buffer=target, strict=True)
    except ValueError as error:
        if not lenient_jpeg.is_harmless(error):
            raise FrameError("the JPEG frame is damaged") from error
        height, width = target.shape[:2]
        np.copyto(target, lenient_jpeg.decode(data, width, height))
        return
    if decoded.shape != target.shape:
        raise FrameError("the JPEG frame is not of the size its header says")


def _opaque(data: bytes, header: Header) -> Image:
    """Decode PNG or WebP, whose sizes stand where ``shared.intake`` reads them and nowhere else.

    Raises:
        FrameError: the picture is damaged, or a pixel is not opaque: what such a pixel shows
            depends on the background.
    """
    clear_grey = png.transparent_grey(data) if header.format == "png" else None
    data = png.plain(data) if header.format == "png" else data
    try:
        image: Samples | None = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise FrameError(f"the {header.format} frame is damaged") from error
    if image is None:
        raise FrameError(f"the {header.format} frame is damaged")
    if image.ndim == 2:
        transparent = image == clear_grey  # False alone where no grey is clear
        image = np.dstack((image, image, image))
    else:
        transparent = image[..., 3:] != np.iinfo(image.dtype).max
    if np.any(transparent):
        raise FrameError("the frame has pixels that are not opaque", code="frame.transparent")
    if image.dtype == np.uint16:
        image = image >> 8  # the more significant byte, as other decoders take it
    return np.asarray(image[..., :3], np.uint8)
