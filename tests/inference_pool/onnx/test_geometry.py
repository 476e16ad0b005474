from __future__ import annotations

from math import radians

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_pool.onnx.geometry import Square, distance, line_angle, quantile, ramp, shrunk

finite = st.floats(-1000, 1000)


@given(x=finite, y=finite, side=st.floats(1, 1000), angle=st.floats(-3, 3))
def test_there_and_back(x: float, y: float, side: float, angle: float) -> None:
    """Mapping the frame's points into the picture and back changes nothing."""
    square = Square(x, y, side, angle, 192)
    points = np.array([[0, 0], [100, 40], [-7, 300]], np.float32)
    seen = np.column_stack((square.to_picture(points), np.zeros(3, np.float32)))
    assert np.allclose(square.to_frame(seen)[:, :2], points, atol=0.05)


def test_centre_of_the_region_is_the_centre_of_the_picture() -> None:
    """The region is seen about its centre, whatever its turn."""
    square = Square(300, 200, 90, radians(33), 64)
    assert np.allclose(square.to_picture(np.array([[300, 200]], np.float32)), 32, atol=1e-3)


def test_line_turned_like_the_region_is_level() -> None:
    """A line at the region's angle is level in the picture, so the sign of the turn is right."""
    ends = np.array([[10, 10], [110, 60]], np.float32)
    square = Square(60, 35, 150, line_angle(*ends), 64)
    start, end = square.to_picture(ends)
    assert start[1] == pytest.approx(end[1], abs=1e-3)
    assert start[0] < end[0]


def test_depth_is_scaled_like_the_plane() -> None:
    """A third coordinate grows with the other two."""
    points = np.array([[0, 0, 10], [64, 0, 10]], np.float32)
    mapped = Square(0, 0, 128, 0.4, 64).to_frame(points)
    assert mapped[:, 2] == pytest.approx([20, 20])
    assert distance(mapped[0], mapped[1]) == pytest.approx(128, rel=1e-5)


def test_cut_samples_the_region() -> None:
    """A pixel of the frame appears where the map says."""
    frame = np.zeros((100, 100, 3), np.uint8)
    frame[28:33, 58:63] = 255
    square = Square(50, 50, 50, radians(90), 100)
    picture = square.cut(frame, np.empty((100, 100, 4), np.uint8))[:, :, :3]
    column, row = np.rint(square.to_picture(np.array([[60, 30]], np.float32))[0]).astype(int)
    assert picture[row, column].min() == 255
    assert picture[99 - row, 99 - column].max() == 0


@pytest.mark.parametrize("angle", [0.0, 0.4, -2.0])
@pytest.mark.parametrize("side", [40, 300, 900])
@pytest.mark.parametrize("centre", [(100, 80), (3, 5), (197, 150), (-60, 80), (5000, 80)])
def test_cut_is_a_warp_of_the_whole_frame(
    side: float, angle: float, centre: tuple[int, int]
) -> None:
    """Wherever the region lies, in the frame, across its border or outside, large or small."""
    frame = np.random.default_rng(0).integers(1, 256, (160, 200, 3)).astype(np.uint8)
    frame = np.asarray(cv2.blur(frame, (9, 9)), np.uint8)
    square = Square(*centre, side, angle, 64)
    picture = square.cut(frame, np.full((64, 64, 4), 7, np.uint8))[:, :, :3]
    whole = cv2.warpAffine(frame, square._matrix(), (64, 64))
    assert np.abs(picture.astype(int) - whole).max() <= 2


@pytest.mark.parametrize(("width", "height"), [(640, 480), (300, 900), (20, 30), (1, 2000)])
def test_shrunk_to_a_longest_side(width: int, height: int) -> None:
    """The longer side has the length, the other keeps the aspect and at least a pixel."""
    image = np.zeros((height, width, 3), np.uint8)
    picture, factor = shrunk(image, 320)
    assert max(picture.shape) == 320
    assert factor * 320 == max(width, height)
    assert min(picture.shape[:2]) == max(1, round(min(width, height) / factor))


@pytest.mark.parametrize(("value", "mapped"), [(-1, 0), (2, 0), (3, 0.5), (4, 1), (9, 1)])
def test_ramp_is_linear_and_clipped(value: float, mapped: float) -> None:
    """A ramp is 0 up to the first value and 1 from the second."""
    assert ramp(value, 2, 4) == mapped
    assert ramp(-value, -2, -4) == mapped


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9, 0.995, 1.0])
@pytest.mark.parametrize("count", [1, 2, 7, 100, 4205])
def test_a_quantile_is_the_usual_one(count: int, share: float) -> None:
    """The fast one gives what numpy's general one gives."""
    values = np.random.default_rng(0).random(count, np.float32)
    expected = np.quantile(values, share)
    assert quantile(values, share) == pytest.approx(expected, rel=1e-5)
