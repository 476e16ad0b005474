"""The decoder writes only to its buffer, whatever the bytes contain."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage

from shared.config.service import LimitsSection
from shared.errors import FrameError
from shared.frame import intake, png
from shared.frame.decoding import decode, decode_into
from tests.support.formats import by_pillow, noise

KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "4:4:4": ("RGB", {"subsampling": 0}),
    "4:2:2": ("RGB", {"subsampling": 1}),
    "4:2:0": ("RGB", {"subsampling": 2}),
    "progressive": ("RGB", {"progressive": True}),
    "restart markers": ("RGB", {"restart_marker_blocks": 3}),
    "RGB": ("RGB", {"keep_rgb": True}),
    "grey": ("L", {}),
    "CMYK": ("CMYK", {}),
}


SUBSAMPLED = ("4:2:2", "4:2:0", "progressive", "restart markers")


@pytest.mark.parametrize("name", KINDS)
def test_jpeg_pixels_equal_those_of_pillow(name: str) -> None:
    """Every kind that cameras and programs write.

    CMYK differs by rounding. Colours that are stored at a lower resolution are not interpolated, so
    they differ at edges of colours, but the brightness of every pixel is the same.
    """
    mode, settings = KINDS[name]
    file = BytesIO()
    PillowImage.fromarray(noise(45, 70)).convert(mode).save(file, "JPEG", quality=90, **settings)
    data = file.getvalue()
    image, reference = decode(data, LimitsSection()), np.ascontiguousarray(by_pillow(data))
    difference = np.abs(image.astype(int) - reference)
    if name in SUBSAMPLED:
        assert 0 < difference.mean() < 5
        brightness = [
            cv2.cvtColor(way, cv2.COLOR_BGR2GRAY).astype(int) for way in (image, reference)
        ]
        assert np.abs(brightness[0] - brightness[1]).max() <= 1
    else:
        assert difference.max() <= (1 if mode == "CMYK" else 0)


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_jpeg_larger_than_its_header_is_refused(orientation: int) -> None:
    """No pixel is written outside the buffer, and no further memory is used.

    The decoder may find another size than the header reader did.
    """
    data = cv2.imencode(".jpg", np.zeros((2000, 2000, 3), np.uint8))[1].tobytes()
    header = intake.Header("jpeg", 64, 48, orientation)
    width, height = header.upright_size
    guarded = np.full((height + 200, width, 3), 9, np.uint8)
    with pytest.raises(FrameError):
        decode_into(guarded[:height], data, header)
    assert (guarded[height:] == 9).all()


def test_only_pixels_of_a_png_reach_the_decoder() -> None:
    """A profile that inflates to ten megabytes does not."""
    picture = np.arange(48 * 64 * 3, dtype=np.uint8).reshape(48, 64, 3)
    plain = cv2.imencode(".png", picture)[1].tobytes()
    bomb = b"bomb\0\0" + zlib.compress(bytes(10_000_000))
    body = b"iCCP" + bomb
    chunk = struct.pack(">I", len(bomb)) + body + struct.pack(">I", zlib.crc32(body))
    data = plain[:33] + chunk + plain[33:]
    assert bomb not in png.plain(data)
    target = np.zeros((48, 64, 3), np.uint8)
    decode_into(target, data, intake.judge(data, LimitsSection()))
    assert (target == picture).all()
