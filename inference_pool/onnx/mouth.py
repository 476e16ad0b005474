"""Opened, smiling and occluded mouth: two ratios of the mesh, and the colour of the lips."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from inference_pool.onnx.geometry import Points, Square, distance, line_angle, ramp
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
_SKIN_AROUND = (164, 165, 391, 18, 83, 313, 199, 200, 186, 410, 57, 287, 204, 424, 43, 273)
_CHEEKS = (50, 101, 118, 280, 330, 347, 205, 425)

CLOSED_GAP, OPEN_GAP = 0.2, 0.6
"""Height over width of the opening at which the score is 0 and 1; a grin shows .2 to .3."""
RELAXED_WIDTH, GRIN_WIDTH = 0.62, 1.1
"""Mouth over eye distance at which the score is 0 and 1; relaxed .48 to .6, smiles .7 to .8."""
NO_CONTRAST, LIP_CONTRAST = 1.5, 4.0
"""Colour difference (CIE76) of lips and skin at which a mouth is covered, and seen; seen > 6."""
FOREIGN_RED, LIP_RED = -10.0, -3.0
"""Redness of the lips over the cheeks' (a* of CIELAB) that only an object shows, and lips do."""

SIZE = 64
CROP_SCALE = 2.0
"""Side of the colour crop over the distance of the outer eye corners."""


class MouthState:
    """Measures the mouth of a face mesh.

    The occlusion score rests on lips having a colour of their own: what covers the mouth (mask,
    hand, phone, microphone) either hides the difference between lips and skin around them or is
    far less red than the cheeks. A cover painted like a mouth passes unseen.
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
        colours = _lab(square.cut(image, self._crop))
        points = square.to_picture(mesh[:, :2])
        lips = (points[list(_OUTLINE)] + points[list(_OPENING)]) * np.float32(0.5)
        lip, around, cheek = (
            np.median(_sample(colours, where), axis=0)
            for where in (lips, points[list(_SKIN_AROUND)], points[list(_CHEEKS)])
        )
        contrast = float(np.linalg.norm(lip - around))
        redness = float(lip[1] - cheek[1])
        return 1.0 - min(
            ramp(contrast, NO_CONTRAST, LIP_CONTRAST), ramp(redness, FOREIGN_RED, LIP_RED)
        )


def _span(mesh: Points, ends: Sequence[int]) -> float:
    return distance(mesh[ends[0]], mesh[ends[1]])


def _lab(crop: Image) -> NDArray[np.float32]:
    """Smooth a little and convert to CIELAB: L 0..100, a and b about -127..127."""
    smooth = cv2.blur(crop, (3, 3)).astype(np.float32)
    smooth /= 255
    return np.asarray(cv2.cvtColor(smooth, cv2.COLOR_BGR2LAB), np.float32)


def _sample(colours: NDArray[np.float32], points: Points) -> NDArray[np.float32]:
    """Colours at points, (n, 3); points outside take the border's."""
    columns, rows = np.clip(np.rint(points).astype(np.intp), 0, SIZE - 1).T
    sampled: NDArray[np.float32] = colours[rows, columns]
    return sampled
