"""Lids and mouth as patches and paint, on a mesh of the real face."""

from __future__ import annotations

import numpy as np
import pytest

from loadtest.synthetic.expression import draw_lashes, draw_mouth, lid, lid_edge, teeth
from loadtest.synthetic.features import LEFT_EYE, LOWER_INNER_LIP
from loadtest.synthetic.portrait import Portrait
from loadtest.synthetic.warp import Points


@pytest.fixture(scope="module")
def points(fitted: Portrait) -> Points:
    return fitted.mesh[:, :2]


@pytest.mark.parametrize(("closed", "line"), [(0.0, LEFT_EYE.upper), (1.0, LEFT_EYE.lower)])
def test_lid_goes_from_upper_to_lower_edge(
    points: Points, closed: float, line: tuple[int, ...]
) -> None:
    """An open lid's edge is that of the upper lid, a closed one's that of the lower lid."""
    assert lid_edge(LEFT_EYE, closed, points) == pytest.approx(points[list(line)])


def test_open_lid_changes_nothing(points: Points) -> None:
    """With closure 0 the lid's skin is unchanged."""
    patch = lid(LEFT_EYE, 0.0, points, points)
    assert patch.target == pytest.approx(patch.source)


def test_shut_lid_is_skin_above_the_lashes(points: Points) -> None:
    """The colours of a shut lid come from above the open lid's edge."""
    patch = lid(LEFT_EYE, 1.0, points, points)
    edge = points[list(LEFT_EYE.upper)]
    assert (patch.source[9:][2:-2, 1] < edge[2:-2, 1]).all()


def test_teeth_stay_while_the_jaw_drops(points: Points) -> None:
    """A dropped jaw neither stretches nor moves the area between the lips."""
    dropped = points.copy()
    dropped[list(LOWER_INNER_LIP)[1:-1], 1] += 20
    patch = teeth(points, dropped, points[list(LOWER_INNER_LIP)])
    assert patch.target[11:] == pytest.approx(patch.source[11:])


def test_lashes_darken_along_the_edge_only() -> None:
    """Lashes are a thin dark line."""
    image = np.full((60, 80, 3), 200, np.uint8)
    edge = np.stack([np.linspace(20, 60, 9), np.full(9, 30.0)], axis=1).astype(np.float32)
    draw_lashes(image, edge, 1.0)
    assert image[30, 40].max() < 130
    assert (image[:24] == 200).all()
    assert (image[36:] == 200).all()


def test_drawing_outside_the_frame_is_left_out() -> None:
    """A part beyond the border neither fails nor wraps around."""
    image = np.full((60, 80, 3), 200, np.uint8)
    edge = np.stack([np.linspace(200, 240, 9), np.full(9, -90.0)], axis=1).astype(np.float32)
    draw_lashes(image, edge, 1.0)
    assert (image == 200).all()


def test_mouth_is_dark_between_rest_and_dropped_lip(points: Points) -> None:
    """The gap that the jaw opens is dark, the rest stays."""
    image = np.full((512, 512, 3), 200, np.uint8)
    rest = points[list(LOWER_INNER_LIP)]
    dropped = points.copy()
    dropped[list(LOWER_INNER_LIP)[1:-1], 1] += 20
    draw_mouth(image, dropped, rest)
    x, y = rest[5].round().astype(int)
    assert image[y + 10, x].max() < 100
    assert (image[: y - 20] == 200).all()
