"""JPEGs that TurboJPEG warns about are decoded as by all viewers, if they are complete."""

from __future__ import annotations

import numpy as np
import pytest
import simplejpeg

from shared.config.service import LimitsSection
from shared.errors import FrameError
from shared.frame import jpeg, lenient_jpeg
from shared.frame.decoding import decode
from tests.support.formats import by_pillow, noise
from tests.support.jpeg_writer import Sampling, write_jpeg

PICTURE = noise(45, 70)
LUMA, SAME = ((1, 1),), ((1, 1), (1, 1), (1, 1))
SAMPLINGS: dict[str, Sampling] = {
    "4:1:0": ((4, 2), (1, 1), (1, 1)),
    "3x1": ((3, 1), (1, 1), (1, 1)),
    "3x2": ((3, 2), (1, 1), (1, 1)),
    "chroma finer than luma": ((1, 1), (2, 2), (2, 2)),
    "chroma of two sizes": ((2, 2), (1, 2), (2, 1)),
}
PADDED: dict[str, tuple[Sampling, int, bytes]] = {
    "zeros": (SAME, 3, b"\0\0"),
    "bytes of data": (SAME, 3, b"\x5a\xa5\x5a"),
    "stuffed": (SAME, 3, b"\xff\0\xff\0"),
    "ten": (((2, 2), (1, 1), (1, 1)), 2, bytes(10)),
    "grey": (LUMA, 4, b"\0\0"),
    "odd sampling": (SAMPLINGS["4:1:0"], 1, b"\0\0"),
    "no restart markers": (SAME, 0, bytes(12)),
}


def read(data: bytes) -> np.ndarray:
    return decode(data, LimitsSection())


@pytest.mark.parametrize("name", SAMPLINGS)
def test_any_sampling_is_decoded(name: str) -> None:
    """The pixels equal Pillow's."""
    data = write_jpeg(PICTURE, SAMPLINGS[name])
    assert np.array_equal(read(data), by_pillow(data))


@pytest.mark.parametrize("name", PADDED)
def test_padding_before_restart_markers_and_the_end_is_skipped(name: str) -> None:
    """Webcams write it; Pillow's pixels are the same without it."""
    sampling, interval, padding = PADDED[name]
    data = write_jpeg(PICTURE, sampling, interval, padding)
    assert np.array_equal(read(data), by_pillow(write_jpeg(PICTURE, sampling, interval)))
    assert np.array_equal(read(data), by_pillow(data))


@pytest.mark.parametrize("cut", range(1, 30))
@pytest.mark.parametrize("sampling", [SAME, SAMPLINGS["4:1:0"]], ids=["4:4:4", "4:1:0"])
def test_missing_data_is_detected_behind_padding(cut: int, sampling: Sampling) -> None:
    """Early padding does not hide that data is missing later."""
    padding = b"\0\0"
    data = write_jpeg(PICTURE, sampling, 2, padding)
    with pytest.raises(FrameError):
        read(data[: -2 - len(padding) - cut] + data[-2:])


def padded() -> tuple[bytes, list[int]]:
    """A JPEG with padding, and the positions of its restart markers."""
    data = write_jpeg(PICTURE, SAME, 4, b"\0\0")
    ((start, end),) = jpeg.scans(data, data.index(b"\xff\xda"))
    restarts = jpeg.restarts(data, start, end)
    assert len(restarts) > 8
    return data, restarts


@pytest.mark.parametrize("kept", [1, 5, 9])
def test_missing_intervals_are_detected(kept: int) -> None:
    """An image cut at a restart marker, with an end marker appended, is incomplete."""
    data, restarts = padded()
    with pytest.raises(FrameError):
        read(data[: restarts[kept]] + data[-2:])


def test_a_lost_interval_is_detected() -> None:
    """Restart markers count the intervals."""
    data, restarts = padded()
    with pytest.raises(FrameError):
        read(data[: restarts[4]] + data[restarts[5] :])


def test_a_missing_end_is_detected() -> None:
    """An image without its end is truncated."""
    data, _ = padded()
    with pytest.raises(FrameError):
        read(data[:-2])


def test_excessive_padding_is_damage() -> None:
    """A decoder that loses sync within an interval leaves much of it unread."""
    with pytest.raises(FrameError):
        read(write_jpeg(PICTURE, SAME, 3, bytes(jpeg.MAX_PADDING + 1)))


def test_the_number_of_restart_markers_is_limited() -> None:
    """Each costs a copy; a thousand times a camera's number is refused."""
    data, restarts = padded()
    many = b"".join(bytes([0xFF, 0xD0 + n % 8]) for n in range(lenient_jpeg.MAX_RESTARTS + 1))
    with pytest.raises(FrameError, match="restart markers"):
        lenient_jpeg.decode(data[: restarts[0]] + many + data[-2:], 70, 45)


def test_metadata_never_reaches_pillow() -> None:
    """Only the segments that determine the pixels are passed on."""
    data = write_jpeg(PICTURE, SAMPLINGS["3x1"])
    secret = b"Photoshop 3.0\x008BIM" + bytes(100)
    block = b"\xff\xed" + (len(secret) + 2).to_bytes(2, "big") + secret
    head, first = lenient_jpeg._head(data[:2] + block + data[2:])
    assert b"Photoshop" not in head
    assert np.array_equal(read(data[:2] + block + data[2:]), read(data))
    assert data[first - len(block) :].startswith(b"\xff\xda")


ODDITIES = {
    "padding": lambda plain: write_jpeg(PICTURE, SAME, 3, b"\0\0"),
    "sampling": lambda plain: write_jpeg(PICTURE, SAMPLINGS["3x1"]),
    "revision": lambda plain: plain[:2] + b"\xff\xe0\0\x10JFIF\0\3\1\0\0\1\0\1\0\0" + plain[2:],
    "scan": lambda plain: plain.replace(b"\0\x3f\0", b"\0\0\0", 1),
}


@pytest.mark.parametrize("name", ODDITIES)
def test_the_warnings_of_simplejpeg_are_known(name: str) -> None:
    """It fails for a version of the library with other warnings."""
    plain = write_jpeg(PICTURE)
    data = ODDITIES[name](plain)
    with pytest.raises(ValueError, match=lenient_jpeg.HARMLESS):
        simplejpeg.decode_jpeg(data, "BGR")
    assert np.array_equal(read(data), by_pillow(data))


@pytest.mark.parametrize(
    "text",
    [
        "Corrupt JPEG data: premature end of data segment",
        "Corrupt JPEG data: bad Huffman code",
        "Premature end of JPEG file",
        "Corrupt JPEG data: 65 extraneous bytes before marker 0xd1",
    ],
)
def test_damage_is_not_harmless(text: str) -> None:
    """A file that is known to be damaged is not decoded again."""
    assert not lenient_jpeg.is_harmless(ValueError(text))
