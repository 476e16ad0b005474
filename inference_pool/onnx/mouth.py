"""Opened, smiling and occluded mouth, from two ratios of the mesh and the look of the lips."""

from collections.abc import Sequence
from dataclasses import replace
from math import dist, log2
from statistics import median
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from inference_pool.onnx.geometry import Points, Square, distance, line_angle, ramp
from shared.frame.estimation import Image, Mouth

INNER_LIPS = (13, 14)
INNER_CORNERS = (78, 308)
OUTER_CORNERS = (61, 291)
OUTER_EYE_CORNERS = (33, 263)
# fmt: off
_OUTLINE = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375,
            291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
_OPENING = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324,
            308, 415, 310, 311, 312, 13, 82, 81, 80, 191)
# fmt: on
_UPPER_INNER = (80, 81, 82, 13, 312, 311, 310)
_LOWER_INNER = (88, 178, 87, 14, 317, 402, 318)
_UPPER_OUTER = (40, 39, 37, 0, 267, 269, 270)
_LOWER_OUTER = (91, 181, 84, 17, 314, 405, 321)
_SKIN_AROUND = (164, 165, 391, 18, 83, 313, 199, 200, 186, 410, 57, 287, 204, 424, 43, 273)
_CHEEKS = (50, 101, 118, 280, 330, 347, 205, 425)

CLOSED_GAP, OPEN_GAP = 0.2, 0.6
"""Height over width of the opening at which the score is 0 and 1; grins have 0.2 to 0.3."""
RELAXED_WIDTH, GRIN_WIDTH = 0.62, 1.1
"""Mouth width over the distance of the outer eye corners at which the score is 0 and 1; relaxed
mouths have 0.48 to 0.6, smiles 0.7 to 0.8."""
NO_CONTRAST, LIP_CONTRAST = 2.0, 6.0
"""Colour difference (CIE76) between lips and surrounding skin of a covered and a visible mouth."""
NO_LINE, LIP_LINE = 0.0, 0.1
"""Difference in stops between the lips and the line between them, covered and visible."""
CHEEK_LUMA = 150.0
"""Luma to which the cheeks are scaled before colours are compared, because dark skin and dark
frames reduce the differences."""
MIN_LIFT, MAX_LIFT = 0.5, 6.0

SIZE, OVERSAMPLING = 64, 2
"""Side of the crop in pixels, and the factor of oversampling. Without it a large face is sampled so
sparsely that the score depends on which pixels are hit."""
CROP_SCALE = 2.0
"""Side of the crop in distances of the outer eye corners."""
LINE_BLUR, LINE_REACH, BLACK = 0.8, (-2, -1, 0, 1, 2), 3.0
"""Sigma of the noise filter, offsets in pixels at which the line is searched, and luma added to
both sides of a ratio so that noise in black has no weight."""
_LINE_KERNEL = cv2.getGaussianKernel(7, LINE_BLUR, cv2.CV_32F)

Floats = NDArray[np.float32]

_ACROSS = len(_UPPER_INNER)
_FIRST = np.array(
    _CHEEKS + _OUTLINE + _SKIN_AROUND + _UPPER_OUTER + _LOWER_OUTER + len(LINE_REACH) * _UPPER_INNER
)
_SECOND = np.array(
    _CHEEKS + _OPENING + _SKIN_AROUND + _UPPER_INNER + _LOWER_INNER + len(LINE_REACH) * _LOWER_INNER
)
"""Each sample lies in the middle of two vertices, shifted by ``_OFFSETS``."""
_LIP_SAMPLES = len(_OUTLINE)
_ON_CHEEKS, _ON_FACE, _ON_LINE = slice(0, 8), slice(8, 44), slice(44, None)
_OFFSETS = np.zeros((len(_FIRST), 2), np.float32)
_OFFSETS[-len(LINE_REACH) * _ACROSS :, 1] = np.repeat(LINE_REACH, _ACROSS)
"""Shift of each sample in crop pixels, (n, 2)."""


class MouthState:
    """Measures the mouth of a face mesh.

    The occlusion score depends on two features of a visible mouth, with equal weight: lips have
    another colour than the skin around them, and there is a dark line between them. A cover painted
    like a mouth is not detected; a hand often is not either, because it has creases of its own.
    """

    def __init__(self) -> None:
        fine = OVERSAMPLING * SIZE
        self._fine: Image = np.zeros((fine, fine, 4), np.uint8)
        _lab(self._fine[0], 1.0)  # the first conversion builds OpenCV's tables, about 60 ms

    def measure(self, image: Image, mesh: Points) -> Mouth:
        """Measure the mouth of a face with a mesh (468, 3) in the image's pixels."""
        eyes = max(1.0, _span(mesh, OUTER_EYE_CORNERS))
        gap = _span(mesh, INNER_LIPS) / max(1.0, _span(mesh, INNER_CORNERS))
        return Mouth(
            opened=ramp(gap, CLOSED_GAP, OPEN_GAP),
            smile=ramp(_span(mesh, OUTER_CORNERS) / eyes, RELAXED_WIDTH, GRIN_WIDTH),
            occluded=self._occluded(image, mesh, eyes),
        )

    def _occluded(self, image: Image, mesh: Points, eyes: float) -> float:
        first, second = (mesh[corner].tolist() for corner in OUTER_CORNERS)
        angle = line_angle(*(mesh[corner] for corner in OUTER_EYE_CORNERS))
        square = Square(
            (first[0] + second[0]) / 2, (first[1] + second[1]) / 2, CROP_SCALE * eyes, angle, SIZE
        )
        fine = replace(square, size=OVERSAMPLING * SIZE).cut(image, self._fine)
        exact = fine.astype(np.float32)  # integers would make the score jump
        crop = np.asarray(cv2.resize(exact, (SIZE, SIZE), interpolation=cv2.INTER_AREA), np.float32)
        luma = np.asarray(cv2.cvtColor(crop, cv2.COLOR_BGRA2GRAY), np.float32)
        points = _sample_points(square, mesh)
        colour = ramp(_contrast(crop, luma, points), NO_CONTRAST, LIP_CONTRAST)
        line = ramp(_line(luma, points), NO_LINE, LIP_LINE)
        return 1.0 - (colour + line) / 2


def _sample_points(square: Square, mesh: Points) -> Points:
    """Positions of all samples in crop pixels, (n, 2)."""
    middles = (mesh.take(_FIRST, axis=0) + mesh.take(_SECOND, axis=0)) * np.float32(0.5)
    return square.to_crop(middles) + _OFFSETS


def _sampled(crop: NDArray[Any], points: Points) -> Floats:
    """Interpolate the crop at points (n, 2); points outside take the value of the border.

    Neither the nearest pixel nor cv2.remap, which rounds points to 1/32 of a pixel and values to
    integers, is good enough: the rounding errors of a processor or runtime then decide between two
    steps, and the score jumps by up to 0.06.
    """
    inside = np.clip(points, 0, SIZE - 1.001)
    corner = inside.astype(np.intp)
    x, y = corner[:, 0], corner[:, 1]
    right, down = (inside - corner).T.astype(np.float32)
    if crop.ndim == 3:
        right, down = right[:, None], down[:, None]
    upper = crop[y, x] * (1 - right) + crop[y, x + 1] * right
    lower = crop[y + 1, x] * (1 - right) + crop[y + 1, x + 1] * right
    return np.asarray(upper * (1 - down) + lower * down, np.float32)


def _contrast(crop: Floats, luma: Floats, points: Points) -> float:
    """Colour difference between the lips and the surrounding skin at a standard brightness."""
    cheek = max(1.0, median(_sampled(luma, points[_ON_CHEEKS]).tolist()))
    lift = min(MAX_LIFT, max(MIN_LIFT, CHEEK_LUMA / cheek))
    smooth = cv2.blur(crop, (3, 3))
    channels = _lab(_sampled(smooth, points[_ON_FACE]), lift).T.tolist()
    lips = [median(values[:_LIP_SAMPLES]) for values in channels]
    around = [median(values[_LIP_SAMPLES:]) for values in channels]
    return dist(lips, around)


def _line(luma: Floats, points: Points) -> float:
    """Stops by which the line between the lips is darker or lighter than the lips.

    The mesh may miss the line by a few pixels, so the strongest value nearby counts.
    """
    smooth = cv2.sepFilter2D(luma, cv2.CV_32F, _LINE_KERNEL, _LINE_KERNEL)
    found = _sampled(smooth, points[_ON_LINE]).reshape(-1, _ACROSS).T.tolist()
    lips = [(upper + lower) / 2 + BLACK for upper, lower, *_ in found]
    between = [column[2:] for column in found]
    darker = median(lip / (min(near) + BLACK) for lip, near in zip(lips, between, strict=True))
    lighter = median((max(near) + BLACK) / lip for lip, near in zip(lips, between, strict=True))
    return log2(max(darker, lighter))


def _span(mesh: Points, ends: Sequence[int]) -> float:
    return distance(mesh[ends[0]], mesh[ends[1]])


def _lab(pixels: NDArray[Any], lift: float) -> Floats:
    """Scale pixels (n, 3) and convert them to CIELAB: L 0..100, a and b about -127..127."""
    lit = np.minimum(pixels * np.float32(lift / 255), np.float32(1))
    return np.asarray(cv2.cvtColor(lit[None], cv2.COLOR_BGR2LAB)[0], np.float32)
