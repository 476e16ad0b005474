"""Random sequences of soft colours, as a page would show them.

All colours have the same luminance and none is a saturated red, so that no change is a flash as
WCAG 2.3.1 defines it (a change of relative luminance by a tenth, or to or from a red with
R / (R + G + B) >= 0.8), and there are fewer than three changes per second.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

PALETTE = np.array(
    [
        [1.00, 0.22, 0.40],
        [0.80, 0.32, 0.05],
        [0.10, 0.51, 0.20],
        [0.10, 0.44, 0.90],
        [0.25, 0.385, 1.00],
        [0.70, 0.25, 1.00],
    ]
)
"""Linear red, green and blue as shares of a white screen's; relative luminance 0.4."""
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
STEP_SECONDS = 0.6
"""Time of one colour, with the fade to it; three frames at five frames per second."""
FADE_SECONDS = 0.2


class LightSequence:
    """A random sequence of colours, none equal to the one before.

    Args:
        chance: source of the choice.
        seconds: length; the last colour stays.
    """

    def __init__(self, chance: np.random.Generator, seconds: float) -> None:
        steps = int(np.ceil(seconds / STEP_SECONDS)) + 1  # the last one is never faded in
        moves = chance.integers(1, len(PALETTE), steps)
        self._colours = PALETTE[np.cumsum(moves) % len(PALETTE)]

    def at(self, times: Array) -> Array:
        """Return the colours at these times in seconds, shape (len(times), 3)."""
        step = np.clip(times / STEP_SECONDS, 0, len(self._colours) - 1)
        index = step.astype(int)
        faded = np.clip((step - index) * STEP_SECONDS / FADE_SECONDS, 0, 1)[:, None]
        before = self._colours[np.maximum(index - 1, 0)]
        colours: Array = before + faded * (self._colours[index] - before)
        return colours
