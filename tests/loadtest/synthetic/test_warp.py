"""Triangulation and warping, on images computed from formulas."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from loadtest.synthetic.warp import Patch, Points, Triangles, delaunay, warp

SIZE = (80, 60)
FRAME = np.array([[0, 0], [80, 0], [80, 60], [0, 60]], np.float32)
RECTANGLE = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
RAMP = np.stack(
    [
        np.tile(np.arange(80, dtype=np.uint8) * 3, (60, 1)),
        np.tile(np.arange(60, dtype=np.uint8)[:, None] * 4, (1, 80)),
        np.full((60, 80), 50, np.uint8),
    ],
    axis=2,
)


def area(points: Points, triangles: Triangles) -> float:
    return sum(cv2.contourArea(points[triangle]) for triangle in triangles)


def test_delaunay_covers_the_hull_once() -> None:
    """The triangles' areas add up to that of the convex hull."""
    points = np.random.default_rng(1).uniform(0, 500, (300, 2)).astype(np.float32)
    triangles = delaunay(points)
    assert area(points, triangles) == pytest.approx(
        cv2.contourArea(cv2.convexHull(points)), rel=0.01
    )


def test_delaunay_uses_every_point() -> None:
    """Each point is a corner of some triangle, even with coordinates below zero."""
    points = np.random.default_rng(2).uniform(-200, 100, (100, 2)).astype(np.float32)
    assert set(delaunay(points).ravel().tolist()) == set(range(100))


def test_unmoved_corners_change_nothing() -> None:
    """Every pixel keeps its value."""
    assert np.array_equal(warp(RAMP, [Patch(FRAME, FRAME, RECTANGLE)], SIZE), RAMP)


def test_moved_corners_move_the_image() -> None:
    """Corners moved by ten pixels move the image by ten pixels."""
    moved = warp(RAMP, [Patch(FRAME, FRAME + np.float32([10, 0]), RECTANGLE)], SIZE)
    assert np.array_equal(moved[:, 10:], RAMP[:, :-10])


def test_later_patch_covers_earlier_one() -> None:
    """The last drawn patch is visible, the first one everywhere else."""
    corner = FRAME / 2
    frame = warp(RAMP, [Patch(FRAME, FRAME, RECTANGLE), Patch(FRAME, corner, RECTANGLE)], SIZE)
    assert np.array_equal(frame[:, 45:], RAMP[:, 45:])
    assert np.allclose(frame[5:25, 5:35], RAMP[10:50:2, 10:70:2], atol=1)


def test_a_flat_triangle_is_ignored() -> None:
    """It has no area."""
    flat = Patch(FRAME, np.float32([[5, 5], [40, 5], [75, 5], [40, 5]]), RECTANGLE)
    frame = warp(RAMP, [Patch(FRAME, FRAME, RECTANGLE), flat], SIZE)
    assert np.array_equal(frame, RAMP)


def test_thin_triangle_reads_inside_itself() -> None:
    """For any map, colours come from within the source triangle."""
    source = np.float32([[10, 10], [20, 10], [15, 20]])
    thin = Patch(source, np.float32([[5, 30], [75, 30], [40, 31]]), RECTANGLE[:1])
    frame = warp(RAMP, [Patch(FRAME, FRAME, RECTANGLE), thin], SIZE)
    touched = (frame != RAMP).any(axis=2)
    assert touched.any()
    assert frame[touched][:, 0].min() >= RAMP[0, 10, 0]
    assert frame[touched][:, 0].max() <= RAMP[0, 20, 0]
