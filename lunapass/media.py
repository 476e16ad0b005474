"""Reads images and videos as frames, and refuses what the service would refuse."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from evaluation.sessions import logged_images
from shared.config.service import Config, LimitsSection
from shared.errors import FrameError
from shared.frame import intake
from shared.frame.decoding import decode
from shared.frame.estimation import Image, Rotation
from shared.frame.orientation import UPRIGHT, turned, upright

VIDEOS = frozenset({".avi", ".gif", ".m4v", ".mjpeg", ".mkv", ".mov", ".mp4", ".webm", ".y4m"})

MAX_FRAME_RATE = 1000.0
"""Frames per second. A higher rate is not that of frames, but of the ticks of the file's clock."""


@dataclass(frozen=True, slots=True)
class Media:
    """Reads files as the service reads frames.

    Attributes:
        rotation: clockwise rotation in addition to EXIF, in degrees, a multiple of 90.
    """

    limits: LimitsSection
    rotation: Rotation = 0

    @classmethod
    def of(cls, config: Config) -> Media:
        """Read limits and rotation from a configuration."""
        return cls(config.LIMITS, config.CHECKS.rotate)

    def frames(self, path: Path, rotation: int | None = None) -> Iterator[Image]:
        """Yield the frames of an image, a video or a session's folder, (height, width, 3) BGR.

        ``rotation`` replaces the configured one, in degrees.

        Raises:
            FrameError: a frame is refused, or the file has none that can be decoded.
        """
        degrees = self.rotation if rotation is None else rotation
        if path.is_dir():
            yield from logged_images(path, self.frames)
        elif path.suffix.lower() in VIDEOS:
            for frame in _video(path):
                intake.require_size(frame.shape[1], frame.shape[0], self.limits)
                yield upright(frame, turned(UPRIGHT, degrees))
        else:
            yield decode(self._read(path), self.limits, degrees)

    def _read(self, path: Path) -> bytes:
        try:
            intake.require_bytes(path.stat().st_size, self.limits)
            return path.read_bytes()
        except OSError as error:
            raise FrameError(f"the file cannot be read: {error.strerror}") from error


def frame_rate(path: Path) -> float:
    """Return the frames per second that a video states.

    Raises:
        FrameError: it states none.
    """
    video = cv2.VideoCapture(str(path))
    try:
        rate = float(video.get(cv2.CAP_PROP_FPS))
    finally:
        video.release()
    if not 0 < rate < MAX_FRAME_RATE:
        raise FrameError("the video does not say its frame rate; give its frames as a folder")
    return rate


def _video(path: Path) -> Iterator[Image]:
    video = cv2.VideoCapture(str(path))
    try:
        good, frame = video.read()
        if not good:
            raise FrameError("the file is not a video that can be decoded")
        while good:
            yield np.asarray(frame, np.uint8)
            good, frame = video.read()
    finally:
        video.release()
