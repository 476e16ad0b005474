"""Draws the service's answer into a frame: face box, codes and hints."""

import math
from collections.abc import Iterator
from typing import Any

import cv2

from shared.codes import hint
from shared.frame.estimation import Image
from shared.lettering import write

GOOD, BAD, PLAIN = (80, 200, 80), (60, 60, 230), (230, 230, 230)
"""Colours, BGR."""
MAX_LINES = 8


def draw(image: Image, seq: int, time: int, status: dict[str, Any]) -> None:
    """Draw into a frame, (height, width, 3) BGR, in place; invalid parts of the status are ignored.

    The time is in milliseconds since the session's first frame.
    """
    unit = max(1, round(max(image.shape[:2]) / 640))
    colour = GOOD if status.get("isOk") is True else BAD
    if (corners := face_corners(status)) is not None:
        cv2.rectangle(image, *corners, colour, 2 * unit)
    lines = [(f"{seq}   {time / 1000:.2f} s", PLAIN)]
    lines += [(line, colour) for line in hints(status)]
    for row, (line, shade) in enumerate(lines[:MAX_LINES]):
        write(image, line, (8 * unit, (20 + 18 * row) * unit), unit, shade)


def hints(status: dict[str, Any]) -> Iterator[str]:
    """Yield each code of a frame with its hint."""
    for code in codes(status):
        yield f"{code} {hint(code)}"


def codes(status: dict[str, Any]) -> list[int]:
    """Return the codes of a frame's status."""
    errors = status.get("errors")
    return [code for code in errors if type(code) is int] if isinstance(errors, list) else []


def face_corners(status: dict[str, Any]) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Return the upper left and lower right corner of the face box; None if there is none."""
    found: Any = status
    for name in ("details", "faceFramePosition", "faceRect"):
        found = found.get(name) if isinstance(found, dict) else None
    if not isinstance(found, dict):
        return None
    x, y, width, height = (_pixels(found.get(name)) for name in ("x", "y", "width", "height"))
    if x is None or y is None or width is None or height is None:
        return None
    return (x, y), (x + width, y + height)


def _pixels(value: object) -> int | None:
    """Return a number as a pixel coordinate; None if it cannot be one."""
    if not isinstance(value, int | float) or not math.isfinite(value) or abs(value) > 2**15:
        return None
    return round(value)
