"""Thumbnails for a report."""

import base64
from itertools import islice
from pathlib import Path

import cv2

from evaluation.judging import Measured
from evaluation.measuring import Frames
from shared.errors import FrameError
from shared.frame.estimation import Image

SIDE = 190


def worst_frame(one: Measured, frames: Frames, every: int = 1) -> str | None:
    """Return the thumbnail of the frame with the worst score; None if it cannot be decoded.

    Only every ``every``-th frame of the file was measured.
    """
    return frame_thumbnail(frames, one.sample.path, every * (one.first + _worst(one)))


def frame_thumbnail(frames: Frames, path: Path, place: int) -> str | None:
    """Return the thumbnail of a frame, counted from 0; None if there is none.

    A negative place is that of a presentation without a frame.
    """
    if place < 0:
        return None
    try:
        image = next(islice(frames(path), place, None), None)
    except FrameError:
        return None
    return None if image is None else thumbnail(image)


def thumbnail(image: Image) -> str:
    """Return the base64 of a small JPEG of an image."""
    height, width = image.shape[:2]
    size = (SIDE, max(1, round(height * SIDE / width)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return base64.b64encode(cv2.imencode(".jpg", small)[1].tobytes()).decode()


def _worst(measured: Measured) -> int:
    """Index of the frame with the lowest score, or for an attack the highest."""
    scores = [
        (frame.liveness.score, index)
        for index, frame in enumerate(measured.frames)
        if frame.liveness is not None
    ]
    pick = min if measured.sample.live else max
    return pick(scores, default=(0.0, 0))[1]
