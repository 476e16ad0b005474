"""Decodes a judged frame into pixels; the decoders release the GIL."""

from __future__ import annotations

from io import BytesIO

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image as PillowImage

from shared.config.service import LimitsSection
from shared.errors import FrameError
from shared.frame import intake, lenient_jpeg, png
from shared.frame.estimation import Image
from shared.frame.intake import Header
from shared.frame.orientation import UPRIGHT, upright

TO_BGR = {1: cv2.COLOR_GRAY2BGR, 3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGR}
WITH_ALPHA = (2, 4)
"""Numbers of channels of which the last is alpha."""

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
        stored = _png(data) if header.format == "png" else _webp(data)
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


def _png(data: bytes) -> Image:
    """Decode a PNG with Pillow: OpenCV's library writes a line to stderr for each damaged one.

    Raises:
        FrameError: the picture is damaged or not opaque.
    """
    try:
        with PillowImage.open(BytesIO(png.plain(data)), formats=("PNG",)) as picture:
            samples = np.asarray(picture.convert("RGBA") if picture.mode == "P" else picture)
    except (OSError, SyntaxError, ValueError) as error:  # Pillow's own for damaged files
        raise FrameError("the PNG frame is damaged") from error
    if samples.dtype == np.bool_:
        samples = samples * np.uint8(255)
    samples = np.atleast_3d(samples)
    if (clear := png.clear_samples(data)) is not None:
        _require_opaque((samples == clear).all(axis=-1))
    if samples.shape[2] in WITH_ALPHA:
        _require_opaque(samples[..., -1] != 255)
    if samples.shape[2] == 2:
        samples = np.ascontiguousarray(samples[..., :1])
    if samples.dtype == np.uint16:
        samples = samples >> 8  # the more significant byte, as decoders take it of colours
    return np.asarray(cv2.cvtColor(samples, TO_BGR[samples.shape[2]]), np.uint8)


def _webp(data: bytes) -> Image:
    """Decode a WebP, whose size stands where ``shared.frame.webp`` reads it and nowhere else.

    Raises:
        FrameError: the picture is damaged or not opaque.
    """
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise FrameError("the WebP frame is damaged") from error
    if image is None:
        raise FrameError("the WebP frame is damaged")
    if image.shape[2] in WITH_ALPHA:
        _require_opaque(image[..., -1] != 255)
    return np.asarray(image[..., :3], np.uint8)


def _require_opaque(transparent: NDArray[np.bool_]) -> None:
    """Refuse a picture with a transparent pixel: what that shows depends on the background."""
    if transparent.any():
        raise FrameError("the frame has pixels that are not opaque", code="frame.transparent")
