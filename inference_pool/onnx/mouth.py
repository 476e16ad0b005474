"""Opened, smiling and occluded mouth: two ratios of the mesh, and what lips look like."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from inference_pool.onnx.geometry import Points, Square, distance, line_angle, quantile, ramp
from shared.estimation import Image, Mouth

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
"""Height over width of the opening at which the score is 0 and 1; a grin shows .2 to .3."""
RELAXED_WIDTH, GRIN_WIDTH = 0.62, 1.1
"""Mouth over eye distance at which the score is 0 and 1; relaxed .48 to .6, smiles .7 to .8."""
NO_CONTRAST, LIP_CONTRAST = 2.0, 6.0
"""Colour difference (CIE76) of lips and skin around that a covered and a seen mouth have."""
NO_LINE, LIP_LINE = 0.0, 0.1
"""Stops by which what is between the lips differs from them, covered and seen."""
CHEEK_LUMA = 150.0
"""Luma that the cheeks are brought to before colours are compared, so that neither dark skin nor
a dark picture shrinks the differences."""
DARKEST_LIFT, LIGHTEST_LIFT = 0.5, 6.0

SIZE = 64
CROP_SCALE = 2.0
"""Side of the crop over the distance of the outer eye corners."""
LINE_BLUR, LINE_REACH, BLACK = 0.8, (-2, -1, 0, 1, 2), 3.0
"""Noise filter, pixels in which the line is looked for, and luma that counts as none."""


class MouthState:
    """Measures the mouth of a face mesh.

    The occlusion score rests on two things that a mouth has and what covers it lacks: lips have a
    colour other than the skin around them, and between them is a dark line. Either alone is half
    a mouth. A cover painted like a mouth passes unseen, and a hand often, with its own creases.
    """

    def __init__(self) -> None:
        self._crop: Image = np.zeros((SIZE, SIZE, 3), np.uint8)
        _lab(self._crop)  # OpenCV builds its tables at the first conversion, in some 60 ms

    def measure(self, image: Image, mesh: Points) -> Mouth:
        """Measure the mouth of a mesh, (468, 3) in the image's pixels."""
        eyes = max(1.0, _span(mesh, OUTER_EYE_CORNERS))
        gap = _span(mesh, INNER_LIPS) / max(1.0, _span(mesh, INNER_CORNERS))
        return Mouth(
            opened=ramp(gap, CLOSED_GAP, OPEN_GAP),
            smile=ramp(_span(mesh, OUTER_CORNERS) / eyes, RELAXED_WIDTH, GRIN_WIDTH),
            occluded=self._occluded(image, mesh, eyes),
        )

    def _occluded(self, image: Image, mesh: Points, eyes: float) -> float:
        middle = mesh[list(OUTER_CORNERS)].mean(axis=0)
        angle = line_angle(*mesh[list(OUTER_EYE_CORNERS)])
        square = Square(float(middle[0]), float(middle[1]), CROP_SCALE * eyes, angle, SIZE)
        crop = square.cut(image, self._crop)
        points = square.to_picture(mesh[:, :2])
        colour = ramp(_contrast(crop, points), NO_CONTRAST, LIP_CONTRAST)
        line = ramp(_line(crop, points), NO_LINE, LIP_LINE)
        return 1.0 - (colour + line) / 2


def _contrast(crop: Image, points: Points) -> float:
    """Colour difference between the lips and the skin around them, in equal light."""
    cheek = max(1.0, float(quantile(_sample(_luma(crop), points[list(_CHEEKS)]), 0.5)))
    lift = min(LIGHTEST_LIFT, max(DARKEST_LIFT, CHEEK_LUMA / cheek))
    colours = _lab(crop, lift)
    lips = (points[list(_OUTLINE)] + points[list(_OPENING)]) * np.float32(0.5)
    lip = quantile(_sample(colours, lips), 0.5)
    around = quantile(_sample(colours, points[list(_SKIN_AROUND)]), 0.5)
    return float(np.linalg.norm(lip - around))


def _line(crop: Image, points: Points) -> float:
    """Stops of pixel values by which what is between the lips is darker or lighter than they.

    The mesh may miss the line by a little, so the strongest value nearby counts.
    """
    smooth = np.asarray(cv2.GaussianBlur(_luma(crop), (0, 0), LINE_BLUR), np.float32)
    upper, lower = points[list(_UPPER_INNER)], points[list(_LOWER_INNER)]
    between = np.array([_sample(smooth, (upper + lower) / 2 + (0, step)) for step in LINE_REACH])
    upper_lip = _sample(smooth, (points[list(_UPPER_OUTER)] + upper) / 2)
    lower_lip = _sample(smooth, (points[list(_LOWER_OUTER)] + lower) / 2)
    lips = (upper_lip + lower_lip) / 2
    darker = np.log2((lips + BLACK) / (between.min(axis=0) + BLACK))
    lighter = np.log2((between.max(axis=0) + BLACK) / (lips + BLACK))
    return float(max(quantile(darker, 0.5), quantile(lighter, 0.5)))


def _span(mesh: Points, ends: Sequence[int]) -> float:
    return distance(mesh[ends[0]], mesh[ends[1]])


def _lab(crop: Image, lift: float = 1.0) -> NDArray[np.float32]:
    """Smooth a little, lighten and convert to CIELAB: L 0..100, a and b about -127..127."""
    smooth = cv2.blur(crop, (3, 3)).astype(np.float32)
    smooth *= lift / 255
    np.minimum(smooth, 1, out=smooth)
    return np.asarray(cv2.cvtColor(smooth, cv2.COLOR_BGR2LAB), np.float32)


def _luma(crop: Image) -> NDArray[np.float32]:
    return np.asarray(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY), np.float32)


def _sample(values: NDArray[np.float32], points: NDArray[np.floating]) -> NDArray[np.float32]:
    """Values at points; points outside take the border's."""
    columns, rows = np.clip(np.rint(points).astype(np.intp), 0, SIZE - 1).T
    sampled: NDArray[np.float32] = values[rows, columns]
    return sampled
