"""The chunks of a WebP are read as far as header and orientation need them."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image as PillowImage

from shared.config.service import LimitsSection
from shared.errors import FrameError
from shared.frame import exif, intake, webp
from shared.frame.decoding import decode
from tests.support.formats import by_pillow, extended_webp, noise, tiff

LIMITS = LimitsSection()


def encoded(channels: int = 3, alpha: int = 255, *, lossless: bool) -> bytes:
    """A WebP; with four channels, one pixel is transparent."""
    picture = noise(24, 32, channels)
    if channels == 4:
        picture[..., 3] = 255
        picture[5, 7, 3] = alpha
    file = BytesIO()
    PillowImage.fromarray(picture).save(file, "WEBP", lossless=lossless, exact=True)
    return file.getvalue()


@pytest.mark.parametrize("lossless", [False, True], ids=["lossy", "lossless"])
@pytest.mark.parametrize("channels", [3, 4])
def test_opaque_pixels_equal_those_of_pillow(channels: int, lossless: bool) -> None:
    """The file may have an alpha channel or not."""
    data = encoded(channels, lossless=lossless)
    assert np.array_equal(decode(data, LIMITS), by_pillow(data))


@pytest.mark.parametrize("lossless", [False, True], ids=["lossy", "lossless"])
def test_an_image_with_a_transparent_pixel_is_refused(lossless: bool) -> None:
    """The colour of the pixel depends on the background."""
    with pytest.raises(FrameError, match="not opaque"):
        decode(encoded(4, 254, lossless=lossless), LIMITS)


@pytest.mark.parametrize("prefix", [b"", exif.PREFIX], ids=["plain", "as in a JPEG"])
def test_the_orientation_is_found_among_other_chunks(prefix: bytes) -> None:
    """It is after a chunk of odd length, with the prefix that some encoders write."""
    chunks = ((b"XMP ", b"odd"), (b"EXIF", prefix + tiff(8)))
    data = extended_webp(encoded(lossless=False), *chunks)
    assert intake.judge(data, LIMITS).orientation == 8


def test_bytes_after_the_end_are_ignored() -> None:
    """The file ends where its header says."""
    data = extended_webp(encoded(lossless=False))
    more = data + b"EXIF" + len(tiff(8)).to_bytes(4, "little") + tiff(8)
    assert intake.judge(more, LIMITS).orientation == 1
    assert np.array_equal(decode(more, LIMITS), decode(data, LIMITS))


@pytest.mark.parametrize("kind", [b"ANIM", b"ANMF"])
def test_animations_without_their_flag_are_refused(kind: bytes) -> None:
    """The chunks count, not the flag."""
    data = extended_webp(encoded(lossless=False), (kind, bytes(16)))
    with pytest.raises(FrameError, match="animated"):
        intake.judge(data, LIMITS)


def test_the_number_of_chunks_is_limited() -> None:
    """Reading very many empty chunks would take long."""
    chunks = [(b"XMP ", b"")] * webp.MAX_CHUNKS
    with pytest.raises(FrameError, match="chunks"):
        intake.judge(extended_webp(encoded(lossless=False), *chunks), LIMITS)


def test_a_truncated_image_is_refused() -> None:
    """It may be cut at any length."""
    data = extended_webp(encoded(lossless=False), (b"EXIF", tiff(8)))
    for length in range(12, data.index(b"EXIF"), 31):
        with pytest.raises(FrameError):
            decode(data[:length], LIMITS)
