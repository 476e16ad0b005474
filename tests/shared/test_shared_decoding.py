"""The decoder writes where it may and nowhere else, whatever the bytes say."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest

from shared import intake
from shared.config import LimitsSection
from shared.decoding import decode_into
from shared.errors import FrameError


def two_faced(orientation: int) -> bytes:
    """A JPEG of 2000x2000 that shows a reader of segments 64x48.

    Marker 01 has no length; who gives it one skips the true header and meets a false one.
    """
    image = np.zeros((2000, 2000, 3), np.uint8)
    true = cv2.imencode(".jpg", image)[1].tobytes()
    false = b"\xff\xc0\x00\x11\x08\x00\x30\x00\x40" + bytes(10)
    skipped = true[2:-2]
    tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0" + bytes(
        [orientation, 0, 0, 0] + [0] * 4
    )
    exif = b"\xff\xe1" + (len(tiff) + 8).to_bytes(2, "big") + b"Exif\0\0" + tiff
    length = (len(skipped) + 2).to_bytes(2, "big")
    return b"\xff\xd8" + exif + b"\xff\x01" + length + skipped + false + true[-2:]


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_jpeg_of_two_sizes_is_refused(orientation: int) -> None:
    """What it shows is what it gets: no pixel outside, no memory for more."""
    data = two_faced(orientation)
    header = intake.judge(data, LimitsSection())
    assert (header.width, header.height) == (64, 48)
    width, height = header.upright_size
    guarded = np.full((height + 200, width, 3), 9, np.uint8)
    with pytest.raises(FrameError):
        decode_into(guarded[:height], data, header)
    assert (guarded[height:] == 9).all()


def test_a_png_keeps_its_pixels_and_loses_the_rest() -> None:
    """A profile that unpacks to ten megabytes never reaches the decoder."""
    picture = np.arange(48 * 64 * 3, dtype=np.uint8).reshape(48, 64, 3)
    plain = cv2.imencode(".png", picture)[1].tobytes()
    bomb = b"bomb\0\0" + zlib.compress(bytes(10_000_000))
    body = b"iCCP" + bomb
    chunk = struct.pack(">I", len(bomb)) + body + struct.pack(">I", zlib.crc32(body))
    data = plain[:33] + chunk + plain[33:]
    assert bomb not in intake.plain_png(data)
    target = np.zeros((48, 64, 3), np.uint8)
    decode_into(target, data, intake.judge(data, LimitsSection()))
    assert (target == picture).all()
