"""Warps an image by moving the corners of its triangles."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.frame.estimation import Image

Points = NDArray[np.float32]
"""Positions in pixels, shape (N, 2)."""

Triangles = NDArray[np.int32]
"""Corners of triangles as indices into positions, shape (T, 3)."""

Corners = NDArray[np.float32]
"""Positions of the corners of triangles, shape (T, 3, 2)."""

_SUBPIXEL_BITS = 4
_MIN_HEIGHT = 0.7
"""Minimum height of a drawn triangle in pixels. Drawing fills all pixels that an edge touches, so a
thinner triangle would appear too large; the edges of its neighbours cover its area."""


def delaunay(points: Points) -> Triangles:
    """Triangulate points of a plane (Delaunay); duplicates are used once."""
    low = np.floor(points.min(axis=0)).astype(int) - 1
    extent = np.ceil(points.max(axis=0)).astype(int) + 1 - low
    division = cv2.Subdiv2D((*low.tolist(), *extent.tolist()))
    index_of = {}
    for index, (x, y) in enumerate(points.tolist()):
        division.insert((x, y))
        index_of[x, y] = index
    corners = np.asarray(division.getTriangleList()).reshape(-1, 3, 2).tolist()
    # Subdiv2D adds its own outermost corners, which are not among our points.
    indices = [[index_of.get((x, y), -1) for x, y in triangle] for triangle in corners]
    return np.array([triangle for triangle in indices if min(triangle) >= 0], np.int32)


@dataclass(frozen=True)
class Patch:
    """A part of an image and its position in the frame, as triangles in the order of drawing."""

    source: Points
    target: Points
    triangles: Triangles


def warp(image: Image, patches: Sequence[Patch], size: tuple[int, int]) -> Image:
    """Draw an image's triangles at new positions, each with an affine map.

    The image's border is repeated outside of it. Later patches cover earlier ones. The first must
    cover the whole frame, whose size is width and height: pixels without a triangle are undefined.
    """
    source = np.concatenate([patch.source[patch.triangles] for patch in patches])
    target = np.concatenate([patch.target[patch.triangles] for patch in patches])
    drawn = _heights(target) >= _MIN_HEIGHT
    source, target = source[drawn], target[drawn]
    coefficients = _inverse_affines(source, target)[_index_map(target, size)]
    width, height = size
    columns = np.arange(width, dtype=np.float32)[None, :]
    rows = np.arange(height, dtype=np.float32)[:, None]
    fields = []
    for axis in (0, 1):
        per_column, per_row, constant, low, high = (
            coefficients[..., 5 * axis + part] for part in range(5)
        )
        fields.append(np.clip(per_column * columns + per_row * rows + constant, low, high))
    return cv2.remap(  # type: ignore[return-value]
        image, fields[0], fields[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def _heights(corners: Corners) -> NDArray[np.float32]:
    """Smallest height of each triangle in pixels."""
    sides = corners - np.roll(corners, 1, axis=1)
    longest = np.linalg.norm(sides, axis=2).max(axis=1)
    (ax, ay), (bx, by) = sides[:, 1].T, sides[:, 2].T
    return np.asarray(np.abs(ax * by - bx * ay) / np.maximum(longest, 1e-6))


def _index_map(corners: Corners, size: tuple[int, int]) -> NDArray[np.int32]:
    """Index of the triangle drawn last at each pixel, shape (height, width)."""
    drawn = np.zeros((size[1], size[0]), np.int32)
    fixed = np.round(corners * (1 << _SUBPIXEL_BITS)).astype(np.int32)
    for index, triangle in enumerate(fixed):
        cv2.fillConvexPoly(drawn, triangle, index, cv2.LINE_8, _SUBPIXEL_BITS)
    return drawn


def _inverse_affines(source: Corners, target: Corners) -> NDArray[np.float32]:
    """For each triangle and source axis: three coefficients, minimum and maximum.

    A pixel at the edge of a triangle may have its centre outside. There the bounds keep the steep
    map of a thin triangle from reading far away pixels.
    """
    homogeneous = np.ones((len(target), 3, 3))
    homogeneous[:, :, :2] = target
    affines = np.linalg.solve(homogeneous, source.astype(np.float64))
    table = np.empty((len(target), 10), np.float32)
    for axis in (0, 1):
        table[:, 5 * axis : 5 * axis + 3] = affines[:, :, axis]
        table[:, 5 * axis + 3] = source[:, :, axis].min(axis=1)
        table[:, 5 * axis + 4] = source[:, :, axis].max(axis=1)
    return table
