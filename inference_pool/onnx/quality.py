"""Classical measures of sharpness and light in the face area, each 0..1, high is good.

All but sharpness use an ellipse in the face box that contains skin and little hair. They do not
depend on the colour of the skin: they use highlights and the whites of the eyes instead of mean
brightness, and ratios of light. They decrease monotonically as a frame gets worse; curves and
thresholds are in docs/estimation.md.
"""

from math import log2

import cv2
import numpy as np
from numpy.typing import NDArray

from inference_pool.onnx.geometry import quantile, ramp, width_and_height
from shared.errors import EstimationError
from shared.frame.estimation import Box, Image, Quality

SIZE = 128
"""Side in pixels to which the face area is scaled; the models use no finer detail."""
BLUR_WINDOW = 9
"""Window of the second blur, as in Crété-Roffet."""
GRAIN = 0.8
"""Standard deviation of the blur that removes noise before measuring."""
SHARP, SMEARED = 0.62, 0.95
"""Perceptual blur at which the score is 1 and 0; sharp portraits have 0.40 to 0.67."""
HIGHLIGHTS = 215
"""Luma above which a pixel is partly over-exposed."""
HIGHLIGHT_SHARE = 99.5
"""Percentile of luma that represents the highlights."""
DARKEST, BRIGHT = 20.0, 136.0
"""Luma of the highlights at which the score is 0 and 1, on a logarithmic scale."""
SHADOWS = 40.0
"""Luma below which a pixel is partly lost in shadow."""
LOPSIDED, EVEN = 4.0, 0.75
"""Stops between the lighter and the darker half of the face at which the score is 0 and 1."""
GLARE_FROM, GLARE_FULL = 230, 252
"""Lowest colour channel at which a pixel starts to count as glare, and counts fully."""
LITTLE_GLARE, MUCH_GLARE = 0.03, 0.18
"""Share of glare in the face at which the score is 1 and 0."""

Grey = NDArray[np.uint8]
Luma = NDArray[np.float32]
Tones = NDArray[np.float32]
"""One number for each of the 256 pixel values."""

_rows, _columns = np.mgrid[:SIZE, :SIZE] / SIZE - 0.5
_skin = (_columns / 0.45) ** 2 + (_rows / 0.5) ** 2 < 1
_SKIN, _LEFT, _RIGHT, _UPPER, _LOWER = (
    _skin & half for half in (True, _columns < -0.1, _columns > 0.1, _rows < -0.1, _rows > 0.1)
)
"""Pixels of each part of the face area; masks take an eighth of the memory of index lists."""
_SKIN_MASK: Grey = _SKIN.astype(np.uint8)
_SKIN_PIXELS = int(_SKIN.sum())

_values = np.arange(256, dtype=np.float32)
_LOST_HEADROOM: Tones = np.maximum(0, (_values - HIGHLIGHTS) / (255 - HIGHLIGHTS))
_GLARE: Tones = np.clip((_values - GLARE_FROM) / (GLARE_FULL - GLARE_FROM), 0, 1)
"""Weight of a pixel, by its value."""

_GRAIN_KERNEL = cv2.getGaussianKernel(7, GRAIN, cv2.CV_32F)
_REACH = BLUR_WINDOW // 2


class FaceQuality:
    """Measures the face area; reuses its buffers."""

    def __init__(self) -> None:
        self._luma: Grey = np.empty((SIZE, SIZE), np.uint8)

    def measure(self, image: Image, box: Box) -> Quality:
        """Measure the face in a box of an image.

        Raises:
            EstimationError: the box has no pixels inside the frame.
        """
        area = _middle(image, box)
        grey = np.asarray(cv2.cvtColor(area, cv2.COLOR_BGR2GRAY), np.uint8)
        luma = _sampled(grey, self._luma)
        smooth = np.asarray(
            cv2.sepFilter2D(luma, cv2.CV_32F, _GRAIN_KERNEL, _GRAIN_KERNEL), np.float32
        )
        tones = _tones(luma)
        return Quality(
            blur=sharpness(smooth),
            light=headroom(tones),
            darkness=exposure(smooth),
            illumination=evenness(smooth),
            specularity=matteness(area) if may_glare(tones) else 1.0,
        )


def _middle(image: Image, box: Box) -> Image:
    """Cut out the middle of the box, without hair at the top and the sides."""
    width, height = width_and_height(image)
    left, right = (min(width, max(0, round(box.x + share * box.width))) for share in (0.1, 0.9))
    top, bottom = (min(height, max(0, round(box.y + share * box.height))) for share in (0.15, 0.95))
    if right - left < 2 or bottom - top < 2:
        raise EstimationError("the face box has no pixels inside the frame")
    return image[top:bottom, left:right]


def _sampled(area: Image, out: Image | None = None) -> Image:
    """Scale an area to ``SIZE``."""
    shrinks = area.shape[1] > SIZE
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(
        cv2.resize(area, (SIZE, SIZE), dst=out, interpolation=interpolation), np.uint8
    )


def _tones(values: Grey) -> Tones:
    """Share of the skin's pixels with each value."""
    histogram = cv2.calcHist([values], [0], _SKIN_MASK, [256], [0, 256])
    return np.asarray(histogram, np.float32).ravel() / np.float32(_SKIN_PIXELS)


def sharpness(luma: Luma) -> float:
    """Sharpness by the re-blur metric of Crété-Roffet et al. (2007), in the worse direction.

    A second blur removes much of the variation between neighbours from a sharp image and little
    from a blurred one. The worse direction counts, so motion blur counts in full. Unlike the paper,
    each variation is weighted by its own size, so that edges outweigh noise and codec blocks, which
    would otherwise count as detail.
    """
    reach, size = _REACH, SIZE + _REACH
    framed = np.asarray(
        cv2.copyMakeBorder(luma, reach, reach, reach, reach, cv2.BORDER_REFLECT_101), np.float32
    )
    across, down = framed[reach:size], framed[:, reach:size]
    worst = max(
        _remaining_variation(
            _difference(across[:, reach + 1 : size], across[:, reach : size - 1]),
            _difference(across[:, BLUR_WINDOW:], across[:, :-BLUR_WINDOW]),
        ),
        _remaining_variation(
            _difference(down[reach + 1 : size], down[reach : size - 1]),
            _difference(down[BLUR_WINDOW:], down[:-BLUR_WINDOW]),
        ),
    )
    return ramp(worst, SMEARED, SHARP)


def _difference(one: Luma, other: Luma) -> Luma:
    return np.asarray(cv2.absdiff(one, other), np.float32)


def _remaining_variation(before: Luma, ends: Luma) -> float:
    """Share of the variation that remains after a second blur, 0..1.

    Args:
        before: differences of neighbours.
        ends: differences of the pixels that enter and leave the blur window between two
            neighbours. Divided by the window, they are the differences of the blurred neighbours.
            Overwritten, because a new array would not be in the CPU cache.
    """
    np.multiply(ends, np.float32(1 / BLUR_WINDOW), out=ends)
    np.minimum(before, ends, out=ends)
    total = float(np.vdot(before, before))
    return float(np.vdot(ends, before)) / total if total > 0 else 1.0


def headroom(luma: Tones) -> float:
    """One minus the mean share of headroom that the skin's pixels lost to over-exposure."""
    return max(0.0, 1.0 - float(luma @ _LOST_HEADROOM))


def exposure(luma: Luma) -> float:
    """Score of the brightness of the highlights in stops, or of the share outside of shadows.

    Dark skin has highlights too, and the whites of the eyes are visible, so highlights depend less
    on the skin and more on the light than a mean does. A black face with bright highlights is dark
    as well, so the lower of both scores counts.
    """
    skin = luma[_SKIN]
    _, truncated = cv2.threshold(skin, SHADOWS, 0, cv2.THRESH_TRUNC)
    shown = min(1.0, cv2.mean(truncated)[0] / SHADOWS)
    bright = max(1.0, quantile(skin, HIGHLIGHT_SHARE / 100))
    return min(ramp(log2(bright), log2(DARKEST), log2(BRIGHT)), shown)


def evenness(luma: Luma) -> float:
    """Score of the stops between the halves of the face, left and right or upper and lower.

    The ratio is of linear light instead of pixel values, so it is the same for every skin colour
    and every exposure.
    """
    left, right, upper, lower = (_stops(luma[half]) for half in (_LEFT, _RIGHT, _UPPER, _LOWER))
    return ramp(max(abs(left - right), abs(upper - lower)), LOPSIDED, EVEN)


def _stops(luma: Luma) -> float:
    """Median of an odd number of pixels in stops of linear light (sRGB, IEC 61966-2-1)."""
    middle = len(luma) // 2
    luma.partition(middle)
    value = max(1.0, float(luma[middle])) / 255
    linear = value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
    return log2(linear)


def may_glare(luma: Tones) -> bool:
    """Return whether enough pixels are bright for glare to count.

    The lowest channel is never above the luma, except for rounding. So if this is false,
    ``matteness`` is 1, and for most faces the colours need not be examined.
    """
    return float(luma[:-1] @ _GLARE[1:] + luma[-1]) > LITTLE_GLARE


def matteness(area: Image) -> float:
    """One minus the score of glare, which is bright pixels without colour."""
    blue, green, red = cv2.split(_sampled(area))
    lowest = np.asarray(cv2.min(cv2.min(blue, green), red), np.uint8)
    return 1.0 - ramp(float(_tones(lowest) @ _GLARE), LITTLE_GLARE, MUCH_GLARE)
