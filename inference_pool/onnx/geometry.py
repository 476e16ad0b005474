"""Turned square crops: where they lie in a frame, and the way there and back."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, sin

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.estimation import Image

Points = NDArray[np.float32]
"""Points of shape (n, 2) or (n, 3), x to the right and y down; z away from the camera."""


@dataclass(frozen=True, slots=True)
class Square:
    """Square region of a frame, turned clockwise by an angle, seen as a picture of some size.

    Attributes:
        x: centre in frame pixels.
        y: centre in frame pixels.
        side: length of a side in frame pixels.
        angle: clockwise turn in radians; a line turned like this is level in the picture.
        size: width and height of the picture.
    """

    x: float
    y: float
    side: float
    angle: float
    size: int

    def cut(self, image: Image, out: Image) -> Image:
        """Sample the region into ``out``, (size, size, 3); outside the frame it is black."""
        cv2.warpAffine(image, self._matrix(), (self.size, self.size), dst=out)
        return out

    def to_picture(self, points: Points) -> Points:
        """Map points of the frame, (n, 2), to the picture."""
        matrix = self._matrix().astype(np.float32)
        return points @ matrix[:, :2].T + matrix[:, 2]

    def to_frame(self, points: Points) -> Points:
        """Map points of the picture to the frame, z scaled alike."""
        scale = self.side / self.size
        c, s = scale * cos(self.angle), scale * sin(self.angle)
        half = self.size / 2
        mapped = points * np.float32(scale)
        u, v = points[:, 0] - half, points[:, 1] - half
        mapped[:, 0] = self.x + c * u - s * v
        mapped[:, 1] = self.y + s * u + c * v
        return mapped

    def _matrix(self) -> NDArray[np.float64]:
        """Affine map (2, 3) from frame to picture."""
        scale = self.size / self.side
        c, s = scale * cos(self.angle), scale * sin(self.angle)
        half = self.size / 2
        return np.array(
            [
                [c, s, half - c * self.x - s * self.y],
                [-s, c, half + s * self.x - c * self.y],
            ]
        )


def width_and_height(image: Image) -> tuple[int, int]:
    """Width and height of an image in pixels."""
    return int(image.shape[1]), int(image.shape[0])


def line_angle(start: Points, end: Points) -> float:
    """Clockwise angle in radians of the line between two points from the picture's x axis."""
    return float(np.arctan2(end[1] - start[1], end[0] - start[0]))


def distance(first: Points, second: Points) -> float:
    """Distance of two points in the picture's plane."""
    return float(np.hypot(first[0] - second[0], first[1] - second[1]))


def quantile(values: Points, share: float) -> Points:
    """Quantile along the first axis, between neighbours linear; the median for a half.

    It is what ``numpy.quantile`` gives, without the generality that costs more than the sorting.
    """
    ordered = np.sort(values, axis=0)
    place = share * (len(values) - 1)
    below = int(place)
    above = min(below + 1, len(values) - 1)
    between: Points = ordered[below] + (ordered[above] - ordered[below]) * np.float32(place - below)
    return between


def ramp(value: float, zero: float, one: float) -> float:
    """Map a value linearly so that ``zero`` gives 0 and ``one`` gives 1, clipped to 0..1."""
    return min(1.0, max(0.0, (value - zero) / (one - zero)))
