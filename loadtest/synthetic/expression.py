"""Parts that a portrait does not show: closed eyelids and the inside of an open mouth.

Stretching the upper lid down would draw its lashes as a dark patch, so the lid is stretched from
the skin between brow and lashes, and a line of lashes is drawn along its new edge. In an open
mouth, what the portrait shows between the lips, such as teeth, stays at the upper lip; below it is
dark.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from loadtest.synthetic.features import LOWER_INNER_LIP, UPPER_INNER_LIP, EyeOutline
from loadtest.synthetic.warp import Patch, Points
from shared.frame.estimation import Image

_ABOVE_LASHES = 0.1
"""Start of the skin without lashes, as a share of the way from the crease to below the brow."""
_TAPER = np.array([0, 0.7, 1, 1, 1, 1, 1, 0.7, 0])[:, None]
"""How far each point of the lid's line moves off the portrait's edge; the corners do not move."""
_LASHES_FROM = 0.3
"""From this closure on, the stretched lid contains none of the portrait's own lashes."""
_LASH_COLOUR = (38, 42, 52)
_MOUTH_COLOUR = (28, 22, 52)


def lid(eye: EyeOutline, closed: float, source: Points, target: Points) -> Patch:
    """Stretch the upper lid of an eye downwards, to a closure of 0..1.

    ``source`` and ``target`` are the mesh points in the portrait and in the frame.
    """
    below_brow, crease, upper = (
        source[list(line)] for line in (eye.below_brow, eye.crease, eye.upper)
    )
    bare = crease + _ABOVE_LASHES * (below_brow - crease)
    stretched = upper + min(1.0, closed / _LASHES_FROM) * _TAPER * (bare - upper)
    return _strip(
        np.concatenate([below_brow, stretched.astype(np.float32)]),
        np.concatenate([target[list(eye.below_brow)], lid_edge(eye, closed, target)]),
    )


def lid_edge(eye: EyeOutline, closed: float, points: Points) -> Points:
    """Edge of an upper lid at a closure, from the image's left to its right."""
    upper, lower = points[list(eye.upper)], points[list(eye.lower)]
    return np.asarray(upper + closed * (lower - upper), np.float32)


def draw_lashes(image: Image, edge: Points, closed: float) -> None:
    """Darken a line along a lid's edge, in place."""
    width = float(np.linalg.norm(edge[-1] - edge[0]))
    thickness = max(1, round(0.05 * width))
    strength = 0.75 * min(1.0, closed / _LASHES_FROM)
    _blend(image, edge, _LASH_COLOUR, strength, thickness=thickness, soft=0.02 * width)


def teeth(source: Points, target: Points, rest: Points) -> Patch:
    """Keep the area between the lips of the portrait at the upper lip.

    ``rest`` is the inner edge of the lower lip in the frame with the jaw at rest.
    """
    upper, lower = list(UPPER_INNER_LIP), list(LOWER_INNER_LIP)
    return _strip(
        np.concatenate([source[upper], source[lower]]), np.concatenate([target[upper], rest])
    )


def draw_mouth(image: Image, target: Points, rest: Points) -> None:
    """Darken the gap between the lower lip at rest and the dropped lower lip, in place."""
    outline = np.concatenate([rest, target[list(LOWER_INNER_LIP)][::-1]])
    width = float(np.linalg.norm(rest[-1] - rest[0]))
    _blend(image, outline, _MOUTH_COLOUR, 0.95, thickness=None, soft=0.015 * width)


def _strip(source: Points, target: Points) -> Patch:
    """Band between two lines of equally many points, the upper line first."""
    length = len(source) // 2
    above = np.arange(length - 1, dtype=np.int32)
    below = above + length
    upper = np.stack([above, above + 1, below], axis=1)
    lower = np.stack([above + 1, below + 1, below], axis=1)
    return Patch(source, target, np.concatenate([upper, lower]))


def _blend(
    image: Image,
    line: Points,
    colour: tuple[int, int, int],
    strength: float,
    *,
    thickness: int | None,
    soft: float,
) -> None:
    """Blend a colour over a polyline, or over its polygon if ``thickness`` is None."""
    height, width = image.shape[:2]
    margin = 8
    left, top = np.maximum(np.floor(line.min(axis=0)).astype(int) - margin, 0)
    right, bottom = np.ceil(line.max(axis=0)).astype(int) + margin
    region = image[top : min(bottom, height), left : min(right, width)]
    if region.size == 0:
        return
    mask = np.zeros(region.shape[:2], np.uint8)
    corners = np.round((line - (left, top)) * 16).astype(np.int32)
    if thickness is None:
        cv2.fillPoly(mask, [corners], 255, cv2.LINE_AA, 4)
    else:
        cv2.polylines(mask, [corners], False, 255, thickness, cv2.LINE_AA, 4)
    alpha = cv2.GaussianBlur(mask, (0, 0), max(0.5, soft)).astype(np.float32) / 255 * strength
    paint: NDArray[np.float32] = np.array(colour, np.float32)
    region[:] = (region + alpha[..., None] * (paint - region)).astype(np.uint8)
