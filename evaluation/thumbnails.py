"""Thumbnails for a report."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from itertools import islice

import cv2

from evaluation.judging import Measured
from evaluation.measuring import Frames
from shared.errors import FrameError
from shared.frame.estimation import Image

SIDE = 190


class Thumbnails:
    """Creates a thumbnail of the frame of a presentation with the worst score.

    Only every ``every``-th frame of a file was measured.
    """

    def __init__(self, measured: Mapping[str, Measured], frames: Frames, every: int = 1) -> None:
        self._measured = measured
        self._frames = frames
        self._every = every

    def __call__(self, name: str) -> str | None:
        """Return the base64 of a JPEG; None if the frame cannot be decoded."""
        one = self._measured[name]
        try:
            start = self._every * (one.first + _worst_frame(one))
            image = next(islice(self._frames(one.sample.path), start, None), None)
        except FrameError:
            return None
        return None if image is None else thumbnail(image)


def thumbnail(image: Image) -> str:
    """Return the base64 of a small JPEG of an image."""
    height, width = image.shape[:2]
    size = (SIDE, max(1, round(height * SIDE / width)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return base64.b64encode(cv2.imencode(".jpg", small)[1].tobytes()).decode()


def _worst_frame(measured: Measured) -> int:
    """Index of the frame with the lowest score, or for an attack the highest."""
    scores = [
        (frame.liveness.score, index)
        for index, frame in enumerate(measured.frames)
        if frame.liveness is not None
    ]
    pick = min if measured.sample.live else max
    return pick(scores, default=(0.0, 0))[1]
