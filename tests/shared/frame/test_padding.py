"""A frame that is mostly padding is refused; images of cameras never are."""

from __future__ import annotations

import zlib
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
import simplejpeg
from PIL import Image as PillowImage

from shared.config.service import LimitsSection
from shared.errors import FrameError
from shared.frame import intake
from shared.frame.intake import MAX_PADDING
from tests.support.encoded_pictures import chunk
from tests.support.formats import extended_webp, noise

LIMITS = LimitsSection()
JUNK = bytes(range(1, 251)) * (MAX_PADDING // 250 + 60)
"""Some thousand bytes more than the limit on padding; none looks like a JPEG marker."""


def jpeg() -> bytes:
    data: bytes = simplejpeg.encode_jpeg(noise(48, 64), quality=90, colorspace="BGR")
    return data


def comments(marker: int) -> bytes:
    """JPEG segments with the padding."""
    parts = (JUNK[start : start + 60_000] for start in range(0, len(JUNK), 60_000))
    return b"".join(b"\xff%c" % marker + (len(p) + 2).to_bytes(2, "big") + p for p in parts)


def scan_again() -> bytes:
    """A JPEG with its one scan repeated; decoders stop after the first."""
    whole = jpeg()
    start = whole.index(b"\xff\xda")
    scan = whole[start:-2] + bytes(3000)
    return whole[:-2] + scan * (len(JUNK) // len(scan) + 1) + whole[-2:]


def png() -> bytes:
    return cv2.imencode(".png", noise(48, 64))[1].tobytes()


def png_with(more: bytes) -> bytes:
    """A PNG with additional bytes after its compressed pixels."""
    rows = b"".join(b"\0" + row.tobytes() for row in noise(48, 64))
    head = png()[:33]
    return head + chunk(b"IDAT", zlib.compress(rows) + more) + chunk(b"IEND", b"")


def webp() -> bytes:
    return cv2.imencode(".webp", noise(48, 64))[1].tobytes()


PADDED = {
    "comments of JPEG": jpeg()[:2] + comments(0xFE) + jpeg()[2:],
    "application data of JPEG": jpeg()[:2] + comments(0xE5) + jpeg()[2:],
    "behind the end of JPEG": jpeg() + JUNK,
    "filling before the end of JPEG": jpeg()[:-2] + b"\xff" * len(JUNK) + jpeg()[-2:],
    "scans that no decoder reads": scan_again(),
    "texts of PNG": png()[:-12] + chunk(b"tEXt", b"a\0" + JUNK) + png()[-12:],
    "behind the end of PNG": png() + JUNK,
    "behind the pixels of PNG": png_with(JUNK),
    "compressed data of no bytes": png_with(b"\0\0\0\xff\xff" * (len(JUNK) // 5)),
    "chunks of WebP": extended_webp(webp(), (b"JUNK", JUNK)),
    "behind the end of WebP": webp() + JUNK,
}


@pytest.mark.parametrize("name", PADDED)
def test_a_frame_that_is_mostly_padding_is_refused(name: str) -> None:
    """This holds wherever the bytes are; pixels and bytes are within all other limits."""
    with pytest.raises(FrameError, match="encode no pixels") as caught:
        intake.judge(PADDED[name], LIMITS)
    assert caught.value.code == "frame.padding"


def test_some_metadata_is_accepted() -> None:
    """There is room for an EXIF block, a preview and a colour profile."""
    data = jpeg()[:2] + comments(0xE1)[: 3 * 60_004] + jpeg()[2:]
    assert intake.judge(data, LIMITS).format == "jpeg"


def rough(channels: int, depth: type[np.uint8] | type[np.uint16] = np.uint8) -> np.ndarray:
    """Incompressible pixels."""
    most = np.iinfo(depth).max
    return np.random.default_rng(1).integers(0, most, (600, 800, channels), depth, endpoint=True)


def lossless_webp() -> bytes:
    target = BytesIO()
    PillowImage.fromarray(rough(3)).save(target, "WEBP", lossless=True)
    return target.getvalue()


LARGE = {
    "JPEG at its best": lambda: simplejpeg.encode_jpeg(
        rough(3), quality=100, colorspace="BGR", colorsubsampling="444"
    ),
    "progressive JPEG": lambda: cv2.imencode(
        ".jpg", rough(3), [cv2.IMWRITE_JPEG_QUALITY, 100, cv2.IMWRITE_JPEG_PROGRESSIVE, 1]
    )[1].tobytes(),
    "JPEG with restart markers": lambda: cv2.imencode(
        ".jpg", rough(3), [cv2.IMWRITE_JPEG_QUALITY, 100, cv2.IMWRITE_JPEG_RST_INTERVAL, 1]
    )[1].tobytes(),
    "PNG": lambda: cv2.imencode(".png", rough(3))[1].tobytes(),
    "PNG without compression": lambda: cv2.imencode(
        ".png", rough(3), [cv2.IMWRITE_PNG_COMPRESSION, 0]
    )[1].tobytes(),
    "PNG of 16 bits": lambda: cv2.imencode(".png", rough(4, np.uint16))[1].tobytes(),
    "lossless WebP": lossless_webp,
}


@pytest.mark.parametrize("name", LARGE)
def test_an_image_of_pure_noise_is_accepted(name: str) -> None:
    """Noise in the largest encoding of each format is the worst case."""
    data = LARGE[name]()
    assert MAX_PADDING < len(data) < LIMITS.frameBytes
    assert intake.judge(data, LIMITS).width == 800


def test_no_camera_image_is_padding(media: Path, cases: Path) -> None:
    """Tested with all available images."""
    kinds = {".jpg", ".jpeg", ".png", ".webp"}
    files = [file for folder in (media, cases) for file in folder.rglob("*")]
    pictures = [file.read_bytes() for file in files if file.suffix.lower() in kinds]
    assert len(pictures) > 90
    for data in pictures:
        intake.require_little_padding(data, intake.read(data))
