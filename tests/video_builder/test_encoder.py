"""Videos of any length can be played from the first image to the last."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from shared.config.video import VideoSection
from video_builder.encoder import Encoder, planes

SIZE = (64, 48)
MILLISECONDS = 200
"""Milliseconds for which each image is shown."""


def encoded(path: Path, pictures: int, **keys: Any) -> list[tuple[int, int]]:
    """Encode noise; return the display and decoding time of each packet, in milliseconds."""
    settings = VideoSection(directory=str(path.parent), **{"preset": "ultrafast", **keys})
    noise = np.random.default_rng(pictures).integers(0, 256, (pictures, 48, 64, 3), np.uint8)
    with Encoder(path, SIZE, settings, {}) as encoder:
        for number, picture in enumerate(noise):
            encoder.add(planes(picture), number * MILLISECONDS, MILLISECONDS)
    with av.open(str(path)) as file:
        (stream,) = file.streams.video
        assert stream.time_base is not None
        milliseconds = 1000 * stream.time_base
        packets = [packet for packet in file.demux(stream) if packet.size]
        return [
            (round((packet.pts or 0) * milliseconds), round((packet.dts or 0) * milliseconds))
            for packet in packets
        ]


@pytest.mark.parametrize("pictures", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("codec", ["H265", "H264", "VP9"])
def test_every_length_can_be_played(tmp_path: Path, codec: str, pictures: int) -> None:
    """Each image is shown at its own time and decoded no later than that, in order."""
    times = encoded(tmp_path / "video.mp4", pictures, codec=codec, preset="medium")
    shown, decoded = zip(*times, strict=True)
    assert sorted(shown) == [number * MILLISECONDS for number in range(pictures)]
    assert all(decode <= show for show, decode in times)
    assert list(decoded) == sorted(set(decoded))
    with av.open(str(tmp_path / "video.mp4")) as file:
        assert sum(1 for _ in file.decode(video=0)) == pictures


@pytest.mark.parametrize("pictures", [1, 2])
def test_short_h265_videos_never_fail(tmp_path: Path, pictures: int) -> None:
    """If a video is too short for B pictures, the decoding times are always the display times.

    x265 leaves them to chance, so one run proves nothing.
    """
    expected = [(number * MILLISECONDS, number * MILLISECONDS) for number in range(pictures)]
    for run in range(100):
        assert encoded(tmp_path / f"{run}.mp4", pictures, codec="H265") == expected
