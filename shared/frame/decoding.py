"""Decodes an encoded frame into pixels; the decoders release the GIL."""

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
"""Channel counts that include alpha, as the last channel."""

cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
"""Otherwise damaged images from clients make OpenCV write lines to the log."""


def decode(data: bytes, limits: LimitsSection, rotation: int = 0) -> Image:
    """Check a frame's header, then decode the frame upright: (height, width, 3) BGR.

    The rotation is clockwise, in addition to EXIF, by a multiple of 90 degrees.

    Raises:
        FrameError: the frame is refused.
    """
    header = intake.judge(data, limits).turned(rotation)
    width, height = header.upright_size
    target: Image = np.empty((height, width, 3), np.uint8)
    decode_into(target, data, header)
    return target


def decode_into(target: Image, data: bytes, header: Header) -> None:
    """Decode a frame upright into a buffer of ``header.upright_size``: (height, width, 3) BGR.

    Raises:
        FrameError: the frame is damaged, is not of the size in its header, or is not opaque.
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
        raise FrameError(f"the {header.format} frame is not of the size in its header")
    np.copyto(target, decoded)


def _jpeg_into(data: bytes, target: Image) -> None:
    """Decode a JPEG into a buffer; the decoder writes nowhere else.

    A crafted JPEG can show a header reader one size and its decoder another. A decoder that
    allocates its own buffer would then take any amount of memory.
    """
    try:
        # Subsampled colours are not interpolated: 6 to 12 % less CPU, the same error rates
        # (docs/optimisations.md).
        decoded = simplejpeg.decode_jpeg(
            data, colorspace="BGR", buffer=target, strict=True, fastupsample=True
        )
    except ValueError as error:
        if not lenient_jpeg.is_harmless(error):
            raise FrameError("the JPEG frame is damaged") from error
        height, width = target.shape[:2]
        np.copyto(target, lenient_jpeg.decode(data, width, height))
        return
    if decoded.shape != target.shape:
        raise FrameError("the JPEG frame is not of the size in its header")


def _png(data: bytes) -> Image:
    """Decode a PNG with Pillow: OpenCV writes a line to stderr for each damaged PNG.

    Raises:
        FrameError: the image is damaged or not opaque.
    """
    try:
        with PillowImage.open(BytesIO(png.plain(data)), formats=("PNG",)) as image:
            samples = np.asarray(image.convert("RGBA") if image.mode == "P" else image)
    except (OSError, SyntaxError, ValueError) as error:  # what Pillow raises for damaged files
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
        samples = samples >> 8  # the more significant byte, as decoders do for colours
    return np.asarray(cv2.cvtColor(samples, TO_BGR[samples.shape[2]]), np.uint8)


def _webp(data: bytes) -> Image:
    """Decode a WebP. Its only size field is the one that ``shared.frame.webp`` reads.

    Raises:
        FrameError: the image is damaged or not opaque.
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
    """Refuse an image with a transparent pixel, whose colour depends on the background."""
    if transparent.any():
        raise FrameError("the frame has pixels that are not opaque", code="frame.transparent")
