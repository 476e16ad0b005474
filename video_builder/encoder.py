"""Encodes images into one MP4 file; the same images always give the same bytes."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Self, cast, get_args

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream

from shared.config.video import Preset, VideoSection
from shared.frame.estimation import Image
from video_builder.canvas import Size

TIME_BASE = Fraction(1, 1000)
PRESETS: tuple[Preset, ...] = get_args(Preset)
VP9_SPEED = dict(zip(PRESETS, (5, 5, 5, 4, 3, 2, 1, 1, 0), strict=True))
"""libvpx's ``cpu-used`` for each preset."""
WITHOUT_REORDERING = 2
"""Longest video, in images, that is decoded in the order of display."""


@dataclass(frozen=True)
class VideoCodec:
    """An encoder of FFmpeg: four-letter code of the codec for players, default constant quality."""

    encoder: str
    tag: str
    crf: int


CODECS = {
    "H265": VideoCodec("libx265", "hvc1", 28),
    "H264": VideoCodec("libx264", "avc1", 23),
    "VP9": VideoCodec("libvpx-vp9", "vp09", 32),
}


def options(settings: VideoSection) -> dict[str, str]:
    """Return the encoder's options.

    Everything that might depend on the number of CPUs is fixed, so that a second run on any machine
    makes the same file.
    """
    crf = CODECS[settings.codec].crf if settings.crf is None else settings.crf
    if settings.codec == "VP9":
        return {
            "crf": str(crf),
            "b": "0",
            "deadline": "good",
            "cpu-used": str(VP9_SPEED[settings.preset]),
            "row-mt": "1",
        }
    chosen = {"preset": settings.preset, "crf": str(min(crf, 51))}
    if settings.codec == "H265":
        chosen["x265-params"] = f"frame-threads=1:pools={settings.threads}:log-level=error"
    return chosen


def threads(settings: VideoSection) -> int:
    """Return the number of threads; x264 needs half as many more to use its CPUs fully."""
    return settings.threads * 3 // 2 if settings.codec == "H264" else settings.threads


def planes(image: Image) -> av.VideoFrame:
    """Convert an image, (height, width, 3) BGR with even sides, to the encoders' YUV planes."""
    luma_and_chroma = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420), np.uint8)
    return av.VideoFrame.from_ndarray(luma_and_chroma, format="yuv420p")


class Encoder:
    """A video that is being written; the file is complete once the block has ended without error.

    Args:
        size: width and height of every image, both even.
        tags: metadata of the file, such as ``title``.
    """

    def __init__(
        self, path: Path, size: Size, settings: VideoSection, tags: Mapping[str, str]
    ) -> None:
        codec = CODECS[settings.codec]
        self._file = av.open(
            str(path),
            "w",
            format="mp4",
            options={"movflags": "+faststart", "fflags": "+bitexact"},
        )
        self._file.metadata.update(tags)
        stream = self._file.add_stream(codec.encoder, options=options(settings))
        self._stream = cast(VideoStream, stream)
        self._stream.time_base = TIME_BASE
        self._set_up(size, codec.tag, threads(settings))
        self._durations: dict[int, int] = {}
        self._added = 0

    def _set_up(self, size: Size, tag: str, threads: int) -> None:
        context = self._stream.codec_context
        context.width, context.height = size
        context.pix_fmt = "yuv420p"
        context.time_base = TIME_BASE
        context.framerate = Fraction(25)
        context.codec_tag = tag
        context.thread_count = threads
        context.color_range = ColorRange.MPEG
        context.colorspace = Colorspace.ITU601

    def add(self, frame: av.VideoFrame, time: int, duration: int) -> None:
        """Encode the next image, of the video's size and converted by ``planes``.

        The time to show it and its duration are in milliseconds; the time is later than the one
        before.
        """
        frame.pts, frame.time_base = time, TIME_BASE
        self._durations[time] = duration
        self._added += 1
        self._write(frame)

    def _write(self, frame: av.VideoFrame | None) -> None:
        for packet in self._stream.encode(frame):
            packet.duration = self._durations.pop(packet.pts or 0, 0)
            if frame is None and self._added <= WITHOUT_REORDERING:
                # x265 4.2 subtracts a delay from the first decoding times, which it sets at the
                # third image. In a shorter video the delay is uninitialised memory
                # (https://github.com/Multicorewareinc/x265/issues/781).
                packet.dts = packet.pts
            self._file.mux(packet)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._write(None)
        finally:
            self._file.close()
