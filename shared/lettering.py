"""Writes lines of text into pictures."""

from __future__ import annotations

import cv2

from shared.estimation import Image

Colour = tuple[int, int, int]
"""Blue, green, red, each 0..255."""


def write(image: Image, line: str, origin: tuple[int, int], unit: int, colour: Colour) -> None:
    """Write a line with a dark outline, legible on any ground.

    Args:
        image: (height, width, 3) BGR, changed in place.
        line: what to write.
        origin: left end of the base line, pixels.
        unit: size, 1 for a picture of 640 pixels.
        colour: of the letters.
    """
    for thickness, shade in ((3 * unit, (0, 0, 0)), (unit, colour)):
        cv2.putText(
            image,
            line,
            origin,
            cv2.FONT_HERSHEY_SIMPLEX,
            0.45 * unit,
            shade,
            thickness,
            cv2.LINE_AA,
        )
