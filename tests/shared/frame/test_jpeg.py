"""The structure of a JPEG is read as decoders do."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from shared.config.service import LimitsSection
from shared.errors import FrameError
from shared.frame import intake, jpeg
from shared.frame.decoding import decode
from tests.support.formats import noise

LIMITS = LimitsSection()
SCAN = b"\xff\xda"


def encoded(*flags: int) -> bytes:
    return cv2.imencode(".jpg", noise(48, 64), list(flags))[1].tobytes()


def progressive() -> bytes:
    return encoded(cv2.IMWRITE_JPEG_PROGRESSIVE, 1)


def commented(picture: bytes, comment: bytes, at: int) -> bytes:
    """Insert a comment before a marker."""
    length = (len(comment) + 2).to_bytes(2, "big")
    return picture[:at] + b"\xff\xfe" + length + comment + picture[at:]


@pytest.mark.parametrize("place", ["in the header", "between scans"])
def test_bytes_of_scans_in_a_comment_are_no_scans(place: str) -> None:
    """A comment may contain any bytes; only real scans count."""
    whole = progressive()
    at = 2 if place == "in the header" else whole.rindex(SCAN)
    data = commented(whole, SCAN * 2 * jpeg.MAX_SCANS, at)
    assert np.array_equal(decode(data, LIMITS), decode(whole, LIMITS))


def test_bytes_after_the_end_are_no_scans() -> None:
    """A motion photo has a film with any bytes after its end."""
    data = progressive() + b"\0\0\0\x18ftypmp42" + SCAN * 2 * jpeg.MAX_SCANS
    assert np.array_equal(decode(data, LIMITS), decode(progressive(), LIMITS))


@pytest.mark.parametrize("between", [b"", b"\xff\xfe\0\x06\xff\xd9ab"], ids=["bare", "comment"])
def test_too_many_real_scans_are_refused(between: bytes) -> None:
    """Bytes of an end marker in a comment between two scans do not end the image."""
    whole = progressive()
    last = whole[whole.rindex(SCAN) : -2]
    data = whole[:-2] + (between + last) * jpeg.MAX_SCANS + whole[-2:]
    with pytest.raises(FrameError, match="more than 40 scans"):
        intake.judge(data, LIMITS)


def test_many_segments_between_scans_cost_no_more_than_their_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each needs a look for the next marker, which is near: all looks are in line with the file."""
    whole = progressive()
    data = commented(whole, SCAN * 32_000, whole.rindex(SCAN))
    for _ in range(jpeg.MAX_SEGMENTS - 20):
        data = commented(data, b"ab", whole.rindex(SCAN))
    searched, markers = [], jpeg._markers

    def counting(data: bytes, start: int, end: int) -> object:
        searched.append(min(end, len(data)) - start)
        return markers(data, start, end)

    monkeypatch.setattr(jpeg, "_markers", counting)
    assert intake.judge(data, LIMITS).width == 64
    assert sum(searched) < 2 * len(data)


def test_a_progressive_image_without_end_is_refused() -> None:
    """It is truncated."""
    with pytest.raises(FrameError, match="damaged"):
        decode(progressive()[:-2], LIMITS)
    with pytest.raises(FrameError, match="no end"):
        list(jpeg.scans(progressive()[:-2], progressive().index(SCAN)))


def test_the_spans_of_scans_contain_their_data() -> None:
    """Each scan starts after its header and ends before the next marker that is not a restart."""
    data = encoded(cv2.IMWRITE_JPEG_RST_INTERVAL, 2)
    first = data.index(SCAN)
    ((start, end),) = jpeg.scans(data, first)
    assert (start, end) == (first + 14, len(data) - 2)
    markers = jpeg.restarts(data, start, end)
    assert [data[at + 1] for at in markers] == [0xD0 + n % 8 for n in range(len(markers))]


@pytest.mark.parametrize("kind", [0xC3, 0xC5, 0xC9, 0xCA, 0xCF], ids=hex)
def test_kinds_that_browsers_do_not_show_are_refused(kind: int) -> None:
    """Decoders differ for lossless, hierarchical and arithmetic-coded JPEG."""
    data = encoded().replace(b"\xff\xc0", bytes([0xFF, kind]), 1)
    with pytest.raises(FrameError, match="not accepted") as caught:
        intake.judge(data, LIMITS)
    assert caught.value.code == "frame.format"


def test_samples_of_twelve_bits_are_refused() -> None:
    """All decoders support only 8 bits."""
    data = encoded().replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc0\x00\x11\x0c", 1)
    with pytest.raises(FrameError, match="not accepted"):
        intake.judge(data, LIMITS)


def test_a_second_frame_header_is_refused() -> None:
    """Otherwise one reader would use the first size, and another the second."""
    data = encoded()
    start = data.index(b"\xff\xc0")
    header = data[start : start + 19]
    with pytest.raises(FrameError, match="damaged"):
        intake.judge(data[:start] + header + data[start:], LIMITS)


def test_bytes_before_a_marker_of_the_header_are_skipped() -> None:
    """Some webcams write a few; very many are refused without a search."""
    data = encoded(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)
    first = data.index(b"\xff\xdb")
    few, many = (data[:first] + bytes(count) + data[first:] for count in (2, 100_000))
    assert np.array_equal(decode(few, LIMITS), decode(data, LIMITS))
    with pytest.raises(FrameError, match="damaged"):
        intake.judge(many, LIMITS)


def test_fill_bytes_before_a_marker_are_skipped() -> None:
    """FF may be repeated before any marker (T.81, B.1.1.2)."""
    data = encoded()
    assert np.array_equal(decode(data[:2] + b"\xff" * 9 + data[2:], LIMITS), decode(data, LIMITS))
