"""Frames of any size fit into the video, centred and without distortion."""

from __future__ import annotations

import numpy as np
import pytest

from video_builder.canvas import Size, even, largest, letterbox


def white(size: Size) -> np.ndarray:
    return np.full((size[1], size[0], 3), 255, np.uint8)


def test_the_largest_has_the_most_pixels() -> None:
    """The first of equals is used, so a rotated camera changes nothing."""
    assert largest([(320, 240), (640, 480), (480, 640)]) == (640, 480)
    assert largest([]) is None


@pytest.mark.parametrize(("size", "expected"), [((641, 479), (642, 480)), ((10, 640), (64, 640))])
def test_a_video_has_even_sides(size: Size, expected: Size) -> None:
    """4:2:0 needs even sides, and encoders a minimum size."""
    assert even(size) == expected


def test_a_frame_of_the_right_size_is_returned_unchanged() -> None:
    """It is not copied."""
    image = white((640, 480))
    assert letterbox(image, (640, 480)) is image


def test_a_frame_of_odd_size_is_padded_not_stretched() -> None:
    """One black row or column is better than a blurred image."""
    picture = letterbox(white((641, 479)), (642, 480))
    assert picture.shape == (480, 642, 3)
    assert (picture == 255).all(axis=2).sum() == 641 * 479


@pytest.mark.parametrize("size", [(480, 640), (320, 240), (1280, 100), (1, 900)])
def test_proportions_are_preserved(size: Size) -> None:
    """The frame touches two borders and is centred; the rest is black."""
    picture = letterbox(white(size), (640, 480))
    rows, columns = np.nonzero(picture[:, :, 0])
    width, height = columns.max() - columns.min() + 1, rows.max() - rows.min() + 1
    assert width == 640 or height == 480
    assert abs(width * size[1] - height * size[0]) <= max(size)
    assert abs(columns.min() - (639 - columns.max())) <= 1
    assert abs(rows.min() - (479 - rows.max())) <= 1
