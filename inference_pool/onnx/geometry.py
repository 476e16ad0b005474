"""Turned square crops: where they lie in a frame, and the way there and back."""

from __future__ import annotations

from dataclasses import dataclass
from math import atan2, cos, hypot, sin

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.frame.estimation import Image

Points = NDArray[np.float32]
"""Points of shape (n, 2) or (n, 3), x to the right and y down; z away from the camera."""

LARGE = 5
"""Pixels of the frame for one of the picture from which a region is large."""


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
        """Sample the region into ``out``, (size, size, 4) BGRA; outside the frame it is black.

        OpenCV warps four channels more than twice as fast as three; so the region is copied to
        four, unless it is so large that the copy would take longer than the warping.
        """
        if self.side > LARGE * self.size:
            turned = cv2.warpAffine(image, self._matrix(), (self.size, self.size))
            return np.asarray(cv2.cvtColor(turned, cv2.COLOR_BGR2BGRA, dst=out), np.uint8)
        left, top, right, bottom = self._bounds(image)
        if left >= right or top >= bottom:
            out[:] = 0
            return out
        area = cv2.cvtColor(image[top:bottom, left:right], cv2.COLOR_BGR2BGRA)
        cv2.warpAffine(area, self._matrix(left, top), (self.size, self.size), dst=out)
        return out

    def to_picture(self, points: Points) -> Points:
        """Map points of the frame to the picture, (n, 2); depth is left out."""
        return np.asarray(cv2.transform(points[None, :, :2], self._matrix())[0], np.float32)

    def to_frame(self, points: Points) -> Points:
        """Map points of the picture, (n, 3), to the frame, z scaled alike."""
        scale = self.side / self.size
        c, s = scale * cos(self.angle), scale * sin(self.angle)
        half = self.size / 2
        matrix = np.array(
            [
                [c, -s, 0, self.x + (s - c) * half],
                [s, c, 0, self.y - (s + c) * half],
                [0, 0, scale, 0],
            ]
        )
        return np.asarray(cv2.transform(points[None], matrix)[0], np.float32)

    def _matrix(self, left: int = 0, top: int = 0) -> NDArray[np.float64]:
        """Affine map (2, 3) to the picture, from the frame without what is left of or above it."""
        scale = self.size / self.side
        c, s = scale * cos(self.angle), scale * sin(self.angle)
        half, x, y = self.size / 2, self.x - left, self.y - top
        return np.array([[c, s, half - c * x - s * y], [-s, c, half + s * x - c * y]])

    def _bounds(self, image: Image) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of what the region needs of the frame."""
        width, height = width_and_height(image)
        reach = self.side / 2 * (abs(cos(self.angle)) + abs(sin(self.angle))) + 2
        return (
            max(0, int(self.x - reach)),
            max(0, int(self.y - reach)),
            min(width, int(self.x + reach) + 1),
            min(height, int(self.y + reach) + 1),
        )


def width_and_height(image: Image) -> tuple[int, int]:
    """Width and height of an image in pixels."""
    return int(image.shape[1]), int(image.shape[0])


def shrunk(
    image: Image, longest: int, interpolation: int = cv2.INTER_LINEAR
) -> tuple[Image, float]:
    """Scale an image so that its longer side has a length; also answer the factor back."""
    width, height = width_and_height(image)
    factor = max(height, width) / longest
    size = max(1, round(width / factor)), max(1, round(height / factor))
    return np.asarray(cv2.resize(image, size, interpolation=interpolation), np.uint8), factor


def fitted(image: Image, out: Image) -> Image:
    """Scale an image to the size of ``out``; where it shrinks, every pixel has its share.

    OpenCV's usual interpolation reads two by two pixels for one of the result, whatever lies
    between them. A picture can be made that shows a network one person and people another
    (Xiao et al., "Seeing is Not Believing: Camouflage Attacks on Image Scaling Algorithms", 2019).
    The mean of the area has no such gaps.
    """
    height, width = out.shape[:2]
    shrinks = image.shape[0] > height and image.shape[1] > width
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    cv2.resize(image, (width, height), dst=out, interpolation=interpolation)
    return out


def warped(image: Image, matrix: NDArray[np.float64], out: Image) -> Image:
    """Map an image to ``out`` by a similarity (2, 3); where it shrinks, every pixel has its share.

    ``cv2.warpAffine`` reads two by two pixels, too. So the image is first reduced by a whole
    factor, as ``fitted`` does, until what is left to shrink is less than two.
    """
    height, width = out.shape[:2]
    factor = int(1 / max(1e-6, hypot(matrix[0, 0], matrix[1, 0])))
    if factor < 2:
        cv2.warpAffine(image, matrix, (width, height), dst=out)
        return out
    left, top, right, bottom = _sources(matrix, width, height, image, factor)
    if left >= right or top >= bottom:
        out[:] = 0
        return out
    area = image[top:bottom, left:right]
    size = area.shape[1] // factor, area.shape[0] // factor
    reduced = cv2.resize(area, size, interpolation=cv2.INTER_AREA)
    # Centres of pixels lie at halves: pixel u of the reduced area has its centre at
    # left + factor * u + (factor - 1) / 2 of the image.
    shift = np.array([left, top]) + (factor - 1) / 2
    onwards = np.hstack(
        [matrix[:, :2] * factor, (matrix[:, :2] @ shift + matrix[:, 2])[:, np.newaxis]]
    )
    cv2.warpAffine(reduced, onwards, (width, height), dst=out)
    return out


def _sources(
    matrix: NDArray[np.float64], width: int, height: int, image: Image, factor: int
) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what a map needs of the image, in whole steps of a factor."""
    corners = np.array([[[0, 0], [width, 0], [0, height], [width, height]]], np.float64)
    places = cv2.transform(corners, cv2.invertAffineTransform(matrix))[0]
    low, high = places.min(axis=0) - 2 * factor, places.max(axis=0) + 2 * factor
    image_width, image_height = width_and_height(image)
    left, top = max(0, int(low[0])), max(0, int(low[1]))
    columns = (min(image_width, int(high[0])) - left) // factor
    rows = (min(image_height, int(high[1])) - top) // factor
    return left, top, left + columns * factor, top + rows * factor


def line_angle(start: Points, end: Points) -> float:
    """Clockwise angle in radians of the line between two points from the picture's x axis."""
    return atan2(end[1] - start[1], end[0] - start[0])


def distance(first: Points, second: Points) -> float:
    """Distance of two points in the picture's plane."""
    return hypot(first[0] - second[0], first[1] - second[1])


def quantile(values: NDArray[np.float32], share: float) -> float:
    """Quantile of some numbers, between neighbours linear; their order is lost.

    It is what ``numpy.quantile`` gives, without the generality that costs more than the sorting.
    """
    place = share * (len(values) - 1)
    below = int(place)
    values.partition(below)
    low = float(values[below])
    if place == below:
        return low
    return low + (float(values[below + 1 :].min()) - low) * (place - below)


def ramp(value: float, zero: float, one: float) -> float:
    """Map a value linearly so that ``zero`` gives 0 and ``one`` gives 1, clipped to 0..1."""
    return min(1.0, max(0.0, (value - zero) / (one - zero)))
