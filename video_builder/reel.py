"""Reads the stored frames of one session for the encoder."""

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from shared.config.service import LimitsSection
from shared.config.video import VideoSection
from shared.errors import FrameError
from shared.frame import intake
from shared.frame.decoding import decode
from shared.frame.estimation import Image
from shared.video_store import StoredFrame
from video_builder import overlay
from video_builder.canvas import Size, even, largest, letterbox
from video_builder.errors import FramesLostError
from video_builder.summary import SummaryWriter
from video_builder.timeline import MILLISECONDS, Timeline

NO_SIZE = (0, 0)
MAX_SIDE_PX = 16_384
"""Pixels; what H.265 and VP9 can encode."""


@dataclass(frozen=True)
class Extent:
    """Result of the first reading of a session's frames, which reads only their headers.

    Attributes:
        left_out: number of first frames that are not shown.
        size: size of the video; None if no frame has a valid header.
    """

    total: int
    left_out: int
    size: Size | None


def limits_of(settings: VideoSection) -> LimitsSection:
    """Return the limits of one frame; only the number of pixels is configurable."""
    return LimitsSection(
        framePixels=settings.framePixels, frameWidth=MAX_SIDE_PX, frameHeight=MAX_SIDE_PX
    )


def measure(frames: Iterable[StoredFrame], settings: VideoSection) -> Extent:
    """Find the number and the sizes of a session's frames."""
    limits, total = limits_of(settings), 0

    def sizes() -> Iterator[Size]:
        nonlocal total
        for frame in frames:
            total += 1
            yield _size(frame, limits)

    limit = settings.framesLimit
    size = largest(deque(sizes(), maxlen=limit) if limit else sizes())
    left_out = max(0, total - limit) if limit else 0
    return Extent(total, left_out, even(size) if size and size != NO_SIZE else None)


def _size(frame: StoredFrame, limits: LimitsSection) -> Size:
    """Return a frame's size; ``NO_SIZE`` if it is not an image."""
    try:
        return intake.judge(frame.frame, limits).turned(frame.rotation).upright_size
    except FrameError:
        return NO_SIZE


class Reel:
    """Decodes stored frames and writes a line of the side file for each; counts them."""

    def __init__(self, settings: VideoSection, extent: Extent, lines: SummaryWriter) -> None:
        self._settings = settings
        self._extent = extent
        self._size = extent.size or NO_SIZE
        self._limits = limits_of(settings)
        self._lines = lines
        self.taken = 0
        self.skipped = 0

    def images(self, frames: Iterable[StoredFrame]) -> Iterator[tuple[int, Image]]:
        """Yield the time in milliseconds and the image of each frame that can be decoded.

        Raises:
            FramesLostError: there are fewer frames than in the first reading.
        """
        timeline = Timeline(self._settings.fps, self._settings.longestPause)
        for frame in self._shown(frames):
            try:
                image = decode(frame.frame, self._limits, frame.rotation)
            except FrameError as error:
                self.skipped += 1
                self._lines.add({"seq": frame.seq, "skipped": error.code})
                continue
            time = timeline.show(frame.at)
            self.taken += 1
            self._lines.add(_line(frame, time))
            if self._settings.overlay:
                overlay.draw(image, frame.seq, time, frame.status)
            yield time, letterbox(image, self._size)

    def _shown(self, frames: Iterable[StoredFrame]) -> Iterator[StoredFrame]:
        """Yield the frames of the first reading, without those left out."""
        count = 0
        for count, frame in enumerate(frames, 1):
            if count > self._extent.left_out:
                yield frame
            if count == self._extent.total:
                return
        raise FramesLostError(
            f"Redis now has only {count} of the {self._extent.total} frames that it had before"
        )


def _line(frame: StoredFrame, time: int) -> dict[str, object]:
    return {
        "seq": frame.seq,
        "at": frame.at if math.isfinite(frame.at) else None,
        "time": time / MILLISECONDS,
        "isOk": frame.status.get("isOk") is True,
        "errors": overlay.codes(frame.status),
    }
