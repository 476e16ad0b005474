from __future__ import annotations

from math import radians

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_pool.onnx.geometry import (
    Square,
    distance,
    downscaled,
    fitted,
    line_angle,
    quantile,
    ramp,
    warped,
)
from shared.frame.estimation import Image

finite = st.floats(-1000, 1000)


@given(x=finite, y=finite, side=st.floats(1, 1000), angle=st.floats(-3, 3))
def test_the_mapping_is_invertible(x: float, y: float, side: float, angle: float) -> None:
    """Mapping frame points to the crop and back changes nothing."""
    square = Square(x, y, side, angle, 192)
    points = np.array([[0, 0], [100, 40], [-7, 300]], np.float32)
    seen = np.column_stack((square.to_crop(points), np.zeros(3, np.float32)))
    assert np.allclose(square.to_frame(seen)[:, :2], points, atol=0.05)


def test_centre_of_the_region_is_the_centre_of_the_crop() -> None:
    """The crop shows the region's centre in its middle, for any rotation."""
    square = Square(300, 200, 90, radians(33), 64)
    assert np.allclose(square.to_crop(np.array([[300, 200]], np.float32)), 32, atol=1e-3)


def test_a_line_at_the_angle_of_the_region_is_level() -> None:
    """A line at the region's angle is level in the crop, so the sign of the rotation is right."""
    ends = np.array([[10, 10], [110, 60]], np.float32)
    square = Square(60, 35, 150, line_angle(*ends), 64)
    start, end = square.to_crop(ends)
    assert start[1] == pytest.approx(end[1], abs=1e-3)
    assert start[0] < end[0]


def test_depth_is_scaled_like_the_plane() -> None:
    """A third coordinate is scaled like the other two."""
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
    column, row = np.rint(square.to_crop(np.array([[60, 30]], np.float32))[0]).astype(int)
    assert picture[row, column].min() == 255
    assert picture[99 - row, 99 - column].max() == 0


@pytest.mark.parametrize("angle", [0.0, 0.4, -2.0])
@pytest.mark.parametrize("side", [40, 300, 900])
@pytest.mark.parametrize("centre", [(100, 80), (3, 5), (197, 150), (-60, 80), (5000, 80)])
def test_cut_is_a_warp_of_the_whole_frame(
    side: float, angle: float, centre: tuple[int, int]
) -> None:
    """This holds for any position and size: inside the frame, across its border or outside."""
    frame = np.random.default_rng(0).integers(1, 256, (160, 200, 3)).astype(np.uint8)
    frame = np.asarray(cv2.blur(frame, (9, 9)), np.uint8)
    square = Square(*centre, side, angle, 64)
    picture = square.cut(frame, np.full((64, 64, 4), 7, np.uint8))[:, :, :3]
    whole = cv2.warpAffine(frame, square._matrix(), (64, 64))
    assert np.abs(picture.astype(int) - whole).max() <= 2


@pytest.mark.parametrize(("width", "height"), [(640, 480), (300, 900), (20, 30), (1, 2000)])
def test_downscaled_to_a_longer_side(width: int, height: int) -> None:
    """The longer side has the length, the other keeps the aspect and at least a pixel."""
    image = np.zeros((height, width, 3), np.uint8)
    picture, factor = downscaled(image, 320)
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
def test_the_fast_quantile_equals_that_of_numpy(count: int, share: float) -> None:
    """The fast one gives what numpy's general one gives."""
    values = np.random.default_rng(0).random(count, np.float32)
    expected = np.quantile(values, share)
    assert quantile(values, share) == pytest.approx(expected, rel=1e-5)


def planted(below: Image, above: Image, size: tuple[int, int]) -> Image:
    """An image that shows ``below`` to people and ``above`` to a sampler that skips pixels.

    The pixels are found by asking OpenCV's linear interpolation which ones it reads.
    """
    height, width = below.shape[:2]
    places = np.dstack(np.meshgrid(np.arange(width), np.arange(height))).astype(np.float32)
    read = cv2.resize(places, size).reshape(-1, 2)
    mix = below.copy()
    for x, y in read:
        rows, columns = slice(int(y), int(y) + 2), slice(int(x), int(x) + 2)
        mix[rows, columns] = above[rows, columns]
    return mix


@pytest.mark.parametrize("side", [241, 400, 800, 1733])
def test_no_image_can_be_hidden_in_sampled_pixels(side: int) -> None:
    """An image hidden in the pixels of linear sampling does not replace the whole."""
    dark, light = np.full((side, side, 3), 40, np.uint8), np.full((side, side, 3), 220, np.uint8)
    mix = planted(dark, light, (80, 80))
    share = float((mix == 220).mean())
    assert cv2.resize(mix, (80, 80)).min() > 200  # the input a network would have had
    seen = fitted(mix, np.empty((80, 80, 3), np.uint8))
    assert abs(float(seen.mean()) - (40 + 180 * share)) < 2
    assert seen.max() < 220


@pytest.mark.parametrize("size", [(480, 365), (701, 533), (1279, 1279), (163, 2000)])
def test_halving_first_is_area_interpolation(size: tuple[int, int]) -> None:
    """For even and odd sides nothing moves, and noise averages out as in one step."""
    height, width = size
    y, x = np.mgrid[0:height, 0:width] / max(size)
    smooth = np.dstack([200 * x, 200 * y, 120 + 60 * np.sin(5 * (x + y))])
    noise = np.random.default_rng(3).integers(0, 40, smooth.shape)
    picture = (smooth + noise).astype(np.uint8)
    expected = cv2.resize(picture, (80, 80), interpolation=cv2.INTER_AREA).astype(int)
    off = np.abs(fitted(picture, np.empty((80, 80, 3), np.uint8)) - expected)
    assert off.max() <= 5


@pytest.mark.parametrize("factor", [0.4, 1.0, 1.9, 2.0, 3.7, 9.0])
@pytest.mark.parametrize("turn", [0.0, 0.3, -2.0])
def test_reducing_before_a_warp_moves_nothing(factor: float, turn: float) -> None:
    """Smooth images come out the same as by the affine mapping alone."""
    y, x = np.mgrid[0:900, 0:1200].astype(np.float32)
    smooth = np.dstack([x * 0.2, y * 0.25, 120 + 60 * np.sin((x + y) / 250)]).astype(np.uint8)
    c, s = np.cos(turn) / factor, np.sin(turn) / factor
    middle = np.array([[c, -s], [s, c]]) @ np.array([600.0, 450.0])
    matrix = np.array([[c, -s, 56 - middle[0]], [s, c, 56 - middle[1]]])
    expected = cv2.warpAffine(smooth, matrix, (112, 112)).astype(int)
    inside = cv2.warpAffine(np.full((900, 1200), 255, np.uint8), matrix, (112, 112)) == 255
    inside = cv2.erode(inside.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    seen = warped(smooth, matrix, np.empty((112, 112, 3), np.uint8)).astype(int)
    assert np.abs(seen - expected)[inside].max() <= 2


def test_a_warp_reads_every_pixel() -> None:
    """An image hidden in the pixels that the warp alone would read is averaged out."""
    dark, light = np.full((896, 896, 3), 40, np.uint8), np.full((896, 896, 3), 220, np.uint8)
    matrix = np.array([[0.125, 0.0, 0.0], [0.0, 0.125, 0.0]])
    mix = dark.copy()
    mix[::8, ::8] = light[::8, ::8]
    assert cv2.warpAffine(mix, matrix, (112, 112)).min() == 220
    assert warped(mix, matrix, np.empty((112, 112, 3), np.uint8)).max() < 60


def test_a_warp_is_black_outside_the_image() -> None:
    """There are no pixels to read."""
    matrix = np.array([[0.1, 0.0, 5000.0], [0.0, 0.1, 5000.0]])
    image, out = np.full((400, 400, 3), 9, np.uint8), np.ones((112, 112, 3), np.uint8)
    assert not warped(image, matrix, out).any()
