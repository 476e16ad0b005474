"""Pictures and videos as one stream of frames."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from shared.errors import FrameError
from shared.estimation import Image

VIDEOS = frozenset({".avi", ".gif", ".m4v", ".mjpeg", ".mkv", ".mov", ".mp4", ".webm", ".y4m"})
"""Endings of files that are read as a video."""


def frames(path: Path) -> Iterator[Image]:
    """Yield the frames of a picture or a video, (height, width, 3) BGR.

    Raises:
        FrameError: the file has no frame that can be decoded.
    """
    if path.suffix.lower() in VIDEOS:
        yield from _video(path)
    else:
        yield _picture(path)


def _picture(path: Path) -> Image:
    """Decode a picture; its EXIF orientation is respected."""
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise FrameError(f"{path} is not a picture that can be decoded")
    return np.asarray(picture, np.uint8)


def _video(path: Path) -> Iterator[Image]:
    video = cv2.VideoCapture(str(path))
    try:
        good, frame = video.read()
        if not good:
            raise FrameError(f"{path} is not a video that can be decoded")
        while good:
            yield np.asarray(frame, np.uint8)
            good, frame = video.read()
    finally:
        video.release()
