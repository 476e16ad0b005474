"""Checks of a video by FFmpeg's own tools."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Probe:
    """The report of ffprobe, for which every frame was decoded."""

    codec: str
    width: int
    height: int
    frames: int
    seconds: float
    times: list[float]
    tags: dict[str, str]


def probe(video: Path) -> Probe:
    """Decode a video to its end and describe it; fail on any complaint of the decoder."""
    if shutil.which("ffprobe") is None:
        pytest.skip("no ffprobe (Debian package ffmpeg)")
    show = "stream=codec_name,width,height:format=duration:format_tags:frame=pts_time"
    found = subprocess.run(
        ["ffprobe", "-v", "warning", "-show_entries", show, "-of", "json", str(video)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert found.stderr == ""
    probed = json.loads(found.stdout)
    stream, form = probed["streams"][0], probed["format"]
    times = [float(frame["pts_time"]) for frame in probed["frames"]]
    return Probe(
        stream["codec_name"],
        stream["width"],
        stream["height"],
        len(times),
        float(form["duration"]),
        times,
        form.get("tags", {}),
    )
