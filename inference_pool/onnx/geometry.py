"""Rotated square crops and other resampling, with the coordinate maps between frame and crop."""

from dataclasses import dataclass
from math import atan2, cos, hypot, sin

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.frame.estimation import Image

Points = NDArray[np.float32]
"""Points (n, 2) or (n, 3); x points right, y down, z away from the camera."""

LARGE = 5
"""A region is large above this many frame pixels per crop pixel, along a side."""


@dataclass(frozen=True, slots=True)
class Square:
    """Rotated square region of a frame, and the crop sampled from it.

    Attributes:
        x: centre in frame pixels.
        y: centre in frame pixels.
        side: length of a side in frame pixels.
        angle: clockwise rotation in radians; a line at this angle is level in the crop.
        size: width and height of the crop in pixels.
    """

    x: float
    y: float
    side: float
    angle: float
    size: int

    def cut(self, image: Image, out: Image) -> Image:
        """Sample the region into ``out``, (size, size, 4) BGRA, black outside the frame.

        OpenCV warps four channels more than twice as fast as three, so the region is converted to
        four channels first, unless it is so large that this takes longer than the warp.
        """
        if self.side > LARGE * self.size:
            crop = cv2.warpAffine(image, self._matrix(), (self.size, self.size))
            return np.asarray(cv2.cvtColor(crop, cv2.COLOR_BGR2BGRA, dst=out), np.uint8)
        left, top, right, bottom = self._bounds(image)
        if left >= right or top >= bottom:
            out[:] = 0
            return out
        area = cv2.cvtColor(image[top:bottom, left:right], cv2.COLOR_BGR2BGRA)
        cv2.warpAffine(area, self._matrix(left, top), (self.size, self.size), dst=out)
        return out

    def to_crop(self, points: Points) -> Points:
        """Map frame points to crop pixels, (n, 2); z is dropped."""
        return np.asarray(cv2.transform(points[None, :, :2], self._matrix())[0], np.float32)

    def to_frame(self, points: Points) -> Points:
        """Map crop points (n, 3) to frame pixels; z is scaled by the same factor."""
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
        """Affine map (2, 3) to the crop, from the part of the frame that starts at left, top."""
        scale = self.size / self.side
        c, s = scale * cos(self.angle), scale * sin(self.angle)
        half, x, y = self.size / 2, self.x - left, self.y - top
        return np.array([[c, s, half - c * x - s * y], [-s, c, half + s * x - c * y]])

    def _bounds(self, image: Image) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of the frame pixels that the region needs."""
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


def downscaled(
    image: Image, longer_side: int, interpolation: int = cv2.INTER_LINEAR
) -> tuple[Image, float]:
    """Scale an image to a longer side in pixels; also return the factor from new to old pixels."""
    width, height = width_and_height(image)
    factor = max(height, width) / longer_side
    size = max(1, round(width / factor)), max(1, round(height / factor))
    return np.asarray(cv2.resize(image, size, interpolation=interpolation), np.uint8), factor


def fitted(image: Image, out: Image) -> Image:
    """Scale an image to the size of ``out``; when it shrinks, every source pixel counts.

    OpenCV's linear interpolation reads two by two source pixels per result pixel and skips the
    rest, so an image can be crafted that shows a network another person than people see
    (Xiao et al., "Seeing is Not Believing: Camouflage Attacks on Image Scaling Algorithms", 2019).
    Area interpolation skips no pixel.

    A large image is halved first, which is faster and leaves a factor of two or more to the
    interpolation, so the result is that of one step within a few levels of 255.
    """
    height, width = out.shape[:2]
    image = _halved(image, 2 * width, 2 * height)
    shrinks = image.shape[0] > height and image.shape[1] > width
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    cv2.resize(image, (width, height), dst=out, interpolation=interpolation)
    return out


def _halved(image: Image, width: int, height: int) -> Image:
    """Halve both sides as long as they stay at least ``width`` and ``height``.

    Each pixel becomes the mean of two by two. OpenCV does this several times faster than the same
    area interpolation by other factors. The last row or column of an odd number is left out.
    """
    while image.shape[1] >= 2 * width and image.shape[0] >= 2 * height:
        half = image.shape[1] // 2, image.shape[0] // 2
        even = image[: 2 * half[1], : 2 * half[0]]
        image = np.asarray(cv2.resize(even, half, interpolation=cv2.INTER_AREA), np.uint8)
    return image


def warped(image: Image, matrix: NDArray[np.float64], out: Image) -> Image:
    """Warp an image to ``out`` by a similarity (2, 3); when it shrinks, every source pixel counts.

    ``cv2.warpAffine`` also skips pixels. So the image is first reduced by an integer factor with
    area interpolation, as in ``fitted``; the warp then shrinks it by a factor below two.
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
    # Pixel u of the reduced area has its centre at left + factor * u + (factor - 1) / 2.
    shift = np.array([left, top]) + (factor - 1) / 2
    from_reduced = np.hstack(
        [matrix[:, :2] * factor, (matrix[:, :2] @ shift + matrix[:, 2])[:, np.newaxis]]
    )
    cv2.warpAffine(reduced, from_reduced, (width, height), dst=out)
    return out


def _sources(
    matrix: NDArray[np.float64], width: int, height: int, image: Image, factor: int
) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what a warp reads; both sides are multiples of ``factor``."""
    corners = np.array([[[0, 0], [width, 0], [0, height], [width, height]]], np.float64)
    sources = cv2.transform(corners, cv2.invertAffineTransform(matrix))[0]
    low, high = sources.min(axis=0) - 2 * factor, sources.max(axis=0) + 2 * factor
    image_width, image_height = width_and_height(image)
    left, top = max(0, int(low[0])), max(0, int(low[1]))
    columns = (min(image_width, int(high[0])) - left) // factor
    rows = (min(image_height, int(high[1])) - top) // factor
    return left, top, left + columns * factor, top + rows * factor


def line_angle(start: Points, end: Points) -> float:
    """Clockwise angle in radians from the x axis to the line between two points."""
    return atan2(end[1] - start[1], end[0] - start[0])


def distance(first: Points, second: Points) -> float:
    """Distance of two points in the image plane."""
    return hypot(first[0] - second[0], first[1] - second[1])


def quantile(values: NDArray[np.float32], share: float) -> float:
    """Linearly interpolated quantile; reorders ``values``.

    Equal to ``numpy.quantile``, whose overhead takes longer than the sorting.
    """
    position = share * (len(values) - 1)
    below = int(position)
    values.partition(below)
    low = float(values[below])
    if position == below:
        return low
    return low + (float(values[below + 1 :].min()) - low) * (position - below)


def ramp(value: float, zero: float, one: float) -> float:
    """Map a value linearly so that ``zero`` becomes 0 and ``one`` 1, clipped to 0..1."""
    return min(1.0, max(0.0, (value - zero) / (one - zero)))
