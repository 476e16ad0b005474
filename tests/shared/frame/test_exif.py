"""The orientation is found in both byte orders; invalid data means upright."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.frame import exif
from tests.support.formats import tiff


@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_is_read(orientation: int, big_endian: bool) -> None:
    """It may have the prefix of JPEG or not."""
    data = tiff(orientation, big_endian=big_endian)
    assert exif.orientation(data) == exif.orientation(exif.PREFIX + data) == orientation


@pytest.mark.parametrize("data", [b"", b"II", b"XX*\0\x08\0\0\0", tiff(0), tiff(9), tiff(8)[:-8]])
def test_invalid_data_means_upright(data: bytes) -> None:
    """No value, an invalid one, or truncated data."""
    assert exif.orientation(data) == 1


@given(st.binary(max_size=200))
def test_any_bytes_give_an_orientation(data: bytes) -> None:
    """Nothing is raised."""
    assert 1 <= exif.orientation(b"II*\0" + data) <= 8
