"""Classical measures of sharpness and light on the face area, each 0..1, high is good.

All but sharpness look at an ellipse in the face box, which holds skin and little hair. They ask for
what does not depend on the skin's colour: highlights and the whites of the eyes instead of mean
brightness, and ratios of light. They fall monotonically as a picture gets worse; curves and
cut-offs are in docs/estimation.md.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from inference_pool.onnx.geometry import quantile, ramp, width_and_height
from shared.errors import EstimationError
from shared.estimation import Box, Image, Quality

SIZE = 128
"""Width and height of the face area that is measured; finer detail is of no use to the models."""
BLUR_WINDOW = 9
"""Window of the second blur, as in Crété-Roffet."""
GRAIN = 0.8
"""Standard deviation of the blur that takes noise away before anything is measured."""
SHARP, SMEARED = 0.62, 0.95
"""Perceptual blur at which the score is 1 and 0; sharp portraits have .40 to .67."""
HIGHLIGHTS = 215
"""Luma from which a pixel begins to lose its headroom."""
HIGHLIGHT_SHARE = 99.5
"""Percentile of luma that stands for the highlights."""
DARKEST, BRIGHT = 20.0, 136.0
"""Luma of the highlights at which the score is 0 and 1, on a logarithmic scale."""
SHADOWS = 40.0
"""Luma below which a pixel begins to lose what it shows."""
LOPSIDED, EVEN = 4.0, 0.75
"""Stops between the lighter and the darker half of the face at which the score is 0 and 1."""
GLARE_FROM, GLARE_FULL = 230, 252
"""Least colour channel from which a pixel counts as glare, and counts fully."""
LITTLE_GLARE, MUCH_GLARE = 0.03, 0.18
"""Share of glare in the face at which the score is 1 and 0."""

Luma = NDArray[np.float32]

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
        smooth = np.asarray(cv2.GaussianBlur(luma.astype(np.float32), (0, 0), GRAIN), np.float32)
        return Quality(
            blur=sharpness(smooth),
            light=headroom(luma),
            darkness=exposure(smooth),
            illumination=evenness(smooth),
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


def sharpness(luma: Luma) -> float:
    """Sharpness after the re-blur metric of Crété-Roffet et al. (2007), worse direction counts.

    A sharp picture loses much of its variation between neighbours when it is blurred once more, a
    blurred one little. Taking the worse direction makes motion blur count in full. Unlike there,
    each variation counts by its own size: edges outweigh the noise and the blocks of a codec,
    which would otherwise pass for detail.
    """
    worst = max(_kept_variation(luma), _kept_variation(np.ascontiguousarray(luma.T)))
    return ramp(worst, SMEARED, SHARP)


def _kept_variation(grey: Luma) -> float:
    """Share of the variation along rows that survives another blur, 0..1."""
    before = cv2.absdiff(grey[:, 1:], grey[:, :-1])
    blurred = cv2.blur(grey, (BLUR_WINDOW, 1))
    lost = before - cv2.absdiff(blurred[:, 1:], blurred[:, :-1])
    np.maximum(lost, 0, out=lost)
    total = float(np.vdot(before, before))
    return 1.0 - float(np.vdot(lost, before)) / total if total > 0 else 1.0


def headroom(luma: NDArray[np.uint8]) -> float:
    """One less the mean share of headroom that the skin's pixels have lost to over-exposure."""
    lost = (luma[_SKIN].astype(np.float32) - HIGHLIGHTS) / (255 - HIGHLIGHTS)
    return 1.0 - float(np.maximum(lost, 0).mean())


def exposure(luma: Luma) -> float:
    """Brightness of the highlights in stops, or the share of the skin that shadows have left.

    Dark skin has highlights too, and whites of the eyes; so they tell less of the skin and more of
    the light than any mean does. A face that is black beside bright highlights is dark as well.
    """
    skin = luma[_SKIN]
    bright = max(1.0, float(quantile(skin, HIGHLIGHT_SHARE / 100)))
    lost = np.maximum(SHADOWS - skin, 0) / SHADOWS
    return min(
        ramp(float(np.log2(bright)), float(np.log2(DARKEST)), float(np.log2(BRIGHT))),
        1.0 - float(lost.mean()),
    )


def evenness(luma: Luma) -> float:
    """Stops between the lighter and the darker half, left and right or up and down.

    The ratio is one of light and not of pixel values, so that it is the same for every skin and
    every exposure.
    """
    pairs = ((luma[_LEFT], luma[_RIGHT]), (luma[_UPPER], luma[_LOWER]))
    stops = max(abs(_stops(a) - _stops(b)) for a, b in pairs)
    return ramp(stops, LOPSIDED, EVEN)


def _stops(luma: Luma) -> float:
    """Median of some pixels in stops of linear light (sRGB, IEC 61966-2-1)."""
    value = max(1.0, float(quantile(luma, 0.5))) / 255
    linear = value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
    return float(np.log2(linear))


def matteness(area: Image) -> float:
    """One less the share of glare: bright pixels without colour."""
    least_channel = np.minimum(np.minimum(area[..., 0], area[..., 1]), area[..., 2])
    skin = least_channel[_SKIN].astype(np.float32)
    glare = np.clip((skin - GLARE_FROM) / (GLARE_FULL - GLARE_FROM), 0, 1)
    return 1.0 - ramp(float(glare.mean()), LITTLE_GLARE, MUCH_GLARE)
