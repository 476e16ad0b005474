"""Writes text into images."""

import cv2

from shared.frame.estimation import Image

Colour = tuple[int, int, int]
"""Blue, green, red, each 0..255."""
DARK: Colour = (0, 0, 0)
STEPS = (-1, 0, 1)
"""Offsets of the outline. Thicker strokes would not do: OpenCV makes them wider too."""


def write(image: Image, line: str, origin: tuple[int, int], unit: int, colour: Colour) -> None:
    """Write a line of text into a BGR image, with a dark outline, legible on any background.

    ``origin`` is the left end of the baseline in pixels, and ``unit`` a scale, 1 for an image of
    640 pixels.
    """
    x, y = origin
    around = ((x + unit * across, y + unit * down) for across in STEPS for down in STEPS)
    for place, shade in (*((place, DARK) for place in around), (origin, colour)):
        cv2.putText(
            image, line, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45 * unit, shade, unit, cv2.LINE_AA
        )
