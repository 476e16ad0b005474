"""Classical measures of sharpness and light on the face area, each 0..1, high is good.

All but sharpness look at an ellipse in the face box, which holds skin and little hair. They use
order statistics and shares of pixels instead of mean brightness, so that a dark skin in good light
is not taken for a dark picture, and they fall monotonically as a picture gets worse.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from inference_pool.onnx.geometry import ramp, width_and_height
from shared.errors import EstimationError
from shared.estimation import Box, Image, Quality

SIZE = 128
"""Width and height of the face area that is measured; finer detail is of no use to the models."""
BLUR_WINDOW = 9
"""Window of the second blur, as in Crété-Roffet."""
SHARP, SMEARED = 0.42, 1.0
"""Perceptual blur at which the score is 1 and 0; sharp portraits have .35 to .59."""
HIGHLIGHTS = 200
"""Luma from which a pixel begins to lose its headroom."""
DARKEST, BRIGHT = 24.0, 144.0
"""Luma of the brighter skin at which the score is 0 and 1, on a logarithmic scale."""
LOPSIDED, EVEN = 0.15, 0.75
"""Brightness of the darker half over the lighter half at which the score is 0 and 1."""
GLARE_FROM, GLARE_FULL = 215, 250
"""Least colour channel from which a pixel counts as glare, and counts fully."""
LITTLE_GLARE, MUCH_GLARE = 0.03, 0.18
"""Share of glare in the face at which the score is 1 and 0."""

_rows, _columns = np.mgrid[:SIZE, :SIZE] / SIZE - 0.5
_SKIN: NDArray[np.bool_] = (_columns / 0.45) ** 2 + (_rows / 0.5) ** 2 < 1
_LEFT, _RIGHT = _SKIN & (_columns < -0.1), _SKIN & (_columns > 0.1)
_UPPER, _LOWER = _SKIN & (_rows < -0.1), _SKIN & (_rows > 0.1)


class FaceQuality:
    """Measures the face area; keeps its buffers from frame to frame."""

    def __init__(self) -> None:
        self._area: Image = np.empty((SIZE, SIZE, 3), np.uint8)
        self._luma: NDArray[np.uint8] = np.empty((SIZE, SIZE), np.uint8)

    def measure(self, image: Image, box: Box) -> Quality:
        """Measure the face in a box of an image.

        Raises:
            EstimationError: the box has no pixels inside the frame.
        """
        _cut(image, box, self._area)
        luma = self._luma
        cv2.cvtColor(self._area, cv2.COLOR_BGR2GRAY, dst=luma)
        return Quality(
            blur=sharpness(luma),
            light=headroom(luma),
            darkness=exposure(luma),
            illumination=evenness(luma),
            specularity=matteness(self._area),
        )


def _cut(image: Image, box: Box, out: Image) -> None:
    """Sample the middle of the box, without the hair at its top and sides."""
    width, height = width_and_height(image)
    left, right = (min(width, max(0, round(box.x + share * box.width))) for share in (0.1, 0.9))
    top, bottom = (min(height, max(0, round(box.y + share * box.height))) for share in (0.15, 0.95))
    if right - left < 2 or bottom - top < 2:
        raise EstimationError("the face box has no pixels inside the frame")
    shrinks = right - left > SIZE
    cv2.resize(
        image[top:bottom, left:right],
        (SIZE, SIZE),
        dst=out,
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
    )


def sharpness(luma: NDArray[np.uint8]) -> float:
    """Sharpness by the re-blur metric of Crété-Roffet et al. (2007), worse direction counts.

    A sharp picture loses much of its variation between neighbours when it is blurred once more, a
    blurred one little. Taking the worse direction makes motion blur count in full.
    """
    grey = luma.astype(np.float32)
    worst = max(_kept_variation(grey), _kept_variation(np.ascontiguousarray(grey.T)))
    return ramp(worst, SMEARED, SHARP)


def _kept_variation(grey: NDArray[np.float32]) -> float:
    """Share of the variation along rows that survives another blur, 0..1."""
    before = cv2.absdiff(grey[:, 1:], grey[:, :-1])
    blurred = cv2.blur(grey, (BLUR_WINDOW, 1))
    lost = before - cv2.absdiff(blurred[:, 1:], blurred[:, :-1])
    total = float(before.sum())
    return 1.0 - float(np.maximum(lost, 0, out=lost).sum()) / total if total > 0 else 1.0


def headroom(luma: NDArray[np.uint8]) -> float:
    """One less the mean share of headroom that the skin's pixels have lost to over-exposure."""
    lost = (luma[_SKIN].astype(np.float32) - HIGHLIGHTS) / (255 - HIGHLIGHTS)
    return 1.0 - float(np.maximum(lost, 0).mean())


def exposure(luma: NDArray[np.uint8]) -> float:
    """Brightness of the skin's brighter tenth in stops; a dark skin has highlights too."""
    bright = max(1.0, float(np.percentile(luma[_SKIN], 90)))
    return ramp(float(np.log2(bright)), float(np.log2(DARKEST)), float(np.log2(BRIGHT)))


def evenness(luma: NDArray[np.uint8]) -> float:
    """Median luma of the darker half over the lighter one, left and right or up and down."""
    pairs = ((luma[_LEFT], luma[_RIGHT]), (luma[_UPPER], luma[_LOWER]))
    ratios = (sorted((float(np.median(a)), float(np.median(b)))) for a, b in pairs)
    return ramp(min(low / max(1.0, high) for low, high in ratios), LOPSIDED, EVEN)


def matteness(area: Image) -> float:
    """One less the share of glare: bright pixels without colour."""
    least_channel = np.minimum(np.minimum(area[..., 0], area[..., 1]), area[..., 2])
    skin = least_channel[_SKIN].astype(np.float32)
    glare = np.clip((skin - GLARE_FROM) / (GLARE_FULL - GLARE_FROM), 0, 1)
    return 1.0 - ramp(float(glare.mean()), LITTLE_GLARE, MUCH_GLARE)
