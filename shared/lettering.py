"""Writes lines of text into pictures."""

from __future__ import annotations

import cv2

from shared.frame.estimation import Image

Colour = tuple[int, int, int]
"""Blue, green, red, each 0..255."""
DARK: Colour = (0, 0, 0)
STEPS = (-1, 0, 1)
"""Where the outline is drawn; a thicker letter would not do, since OpenCV makes it wider too."""


def write(image: Image, line: str, origin: tuple[int, int], unit: int, colour: Colour) -> None:
    """Write a line with a dark outline, legible on any ground.

    Args:
        image: (height, width, 3) BGR, changed in place.
        line: what to write.
        origin: left end of the base line, pixels.
        unit: size, 1 for a picture of 640 pixels.
        colour: of the letters.
    """
    x, y = origin
    around = ((x + unit * across, y + unit * down) for across in STEPS for down in STEPS)
    for place, shade in (*((place, DARK) for place in around), (origin, colour)):
        cv2.putText(
            image, line, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45 * unit, shade, unit, cv2.LINE_AA
        )
