"""The header decides: correct sizes for every format, and no exception but FrameError."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.config.service import LimitsSection
from shared.errors import FrameError
from shared.frame import exif, intake, jpeg
from shared.frame.decoding import decode_into
from shared.frame.estimation import Image
from tests.support.encoded_pictures import chunk
from tests.support.formats import extended_webp, tiff
from tests.support.stamp import stamped_jpeg

LIMITS = LimitsSection()


def encoded(extension: str, width: int = 64, height: int = 48) -> bytes:
    """An image in a format; its left half is red."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, : width // 2] = (0, 0, 255)
    return cv2.imencode(extension, image)[1].tobytes()


def with_orientation(picture: bytes, orientation: int) -> bytes:
    """Insert an EXIF block with an orientation."""
    tiff = (
        b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0" + bytes([orientation, 0, 0, 0]) + b"\0" * 4
    )
    block = exif.PREFIX + tiff
    return picture[:2] + b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block + picture[2:]


@pytest.mark.parametrize("extension", [".jpg", ".png", ".webp"])
def test_size_is_read_without_decoding(extension: str) -> None:
    """Width and height of each format are those of the image."""
    header = intake.judge(encoded(extension), LIMITS)
    assert (header.width, header.height) == (64, 48)


@pytest.mark.parametrize("extension", [".jpg", ".png", ".webp"])
def test_too_many_pixels_are_refused(extension: str) -> None:
    """One pixel more than allowed is too many."""
    limits = LimitsSection(framePixels=4096)
    assert intake.judge(encoded(extension, 64, 64), limits)
    with pytest.raises(FrameError, match="at most"):
        intake.judge(encoded(extension, 64, 65), limits)


def test_a_format_not_configured_is_refused() -> None:
    """Only configured formats are decoded."""
    with pytest.raises(FrameError, match="png is not accepted"):
        intake.judge(encoded(".png"), LimitsSection(frameFormats=["jpeg"]))


@given(st.binary(max_size=400))
def test_noise_is_a_frame_error_or_a_header(data: bytes) -> None:
    """Any bytes give a header or a FrameError."""
    for prefix in (b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"RIFF\0\0\0\0WEBP"):
        try:
            intake.judge(prefix + data, LIMITS)
        except FrameError:
            continue


@given(st.integers(2, 200), st.integers(0, 255))
def test_damaged_jpegs_never_raise_anything_else(position: int, value: int) -> None:
    """One wrong byte in a real JPEG's header gives a FrameError or another valid header."""
    data = bytearray(encoded(".jpg"))
    data[position % len(data)] = value
    try:
        intake.judge(bytes(data), LIMITS)
    except FrameError:
        return


def decoded(data: bytes) -> Image:
    header = intake.judge(data, LIMITS)
    width, height = header.upright_size
    target = np.empty((height, width, 3), np.uint8)
    decode_into(target, data, header)
    return target


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_respected(orientation: int) -> None:
    """Every EXIF orientation is rotated upright as by OpenCV's own reader."""
    data = with_orientation(encoded(".jpg"), orientation)
    expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert expected is not None
    assert np.abs(decoded(data).astype(int) - expected).mean() < 2


MANY_EXIF = {
    ".jpg": lambda data, block: data[:2] + 150 * jpeg_segment(block) + data[2:],
    ".png": lambda data, block: data[:33] + 2000 * chunk(b"eXIf", block) + data[33:],
    ".webp": lambda data, block: extended_webp(data, *[(b"EXIF", block)] * 200),
}


def jpeg_segment(block: bytes) -> bytes:
    content = exif.PREFIX + block
    return b"\xff\xe1" + (len(content) + 2).to_bytes(2, "big") + content


@pytest.mark.parametrize("extension", MANY_EXIF)
def test_one_block_of_exif_is_parsed(extension: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last, whatever a file has: a parse takes as long as reading many chunks."""
    parsed, parse = [], exif.orientation

    def counting(data: bytes) -> int:
        parsed.append(data)
        return parse(data)

    monkeypatch.setattr(exif, "orientation", counting)
    data = MANY_EXIF[extension](encoded(extension), tiff(6))
    assert intake.judge(data, LIMITS).orientation == 6
    assert len(parsed) == 1


def test_a_truncated_jpeg_is_refused() -> None:
    """Half of an image is not an image."""
    with pytest.raises(FrameError):
        decoded(stamped_jpeg(1, 1)[:4000])


def test_scans_after_a_complete_one_are_refused() -> None:
    """Decoders stop after a scan of all components; the service refuses such a file."""
    whole = encoded(".jpg")
    scan = whole[whole.index(b"\xff\xda") : -2]
    many = whole[:-2] + scan * (2 * jpeg.MAX_SCANS) + whole[-2:]
    first, plain = (cv2.imdecode(np.frombuffer(data, np.uint8), 1) for data in (many, whole))
    assert np.array_equal(first, plain)
    with pytest.raises(FrameError):
        decoded(many)


@pytest.mark.parametrize("marker", [0x00, 0x01, *range(0xD0, 0xDA)], ids=hex)
def test_scans_cannot_be_hidden(marker: int) -> None:
    """They are after a marker without a length, which decoders skip.

    A reader that took the next two bytes for its length would find another header of one scan, far
    after the decoded one: 0.4 MB would cost a minute.
    """
    real, decoy = progressive(), encoded(".jpg")
    assert real.count(b"\xff\xda") > jpeg.MAX_SCANS
    hidden = real[:2] + bytes([0xFF, marker]) + real[2:]
    length = int.from_bytes(real[2:4], "big")
    data = hidden.ljust(4 + length, b"\0") + decoy[decoy.index(b"\xff\xc0") :]
    with pytest.raises(FrameError):
        intake.judge(data, LIMITS)


def progressive() -> bytes:
    """A JPEG with more scans than allowed."""
    flags = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]
    whole = cv2.imencode(".jpg", np.full((48, 64, 3), 127, np.uint8), flags)[1].tobytes()
    last = whole[whole.rindex(b"\xff\xda") : -2]
    return whole[:-2] + last * jpeg.MAX_SCANS + whole[-2:]
