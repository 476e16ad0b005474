"""Stored frames become a valid video, and the same one every time."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.config.video import VideoSection
from shared.frame.estimation import Rotation
from shared.video_store import SessionMeta, StoredFrame
from tests.support.ffmpeg import probe
from tests.support.stamp import read_stamp, stamped_jpeg
from tests.support.video import START, session_frames
from video_builder.errors import FramesLostError, NoFramesError
from video_builder.film import Film, make
from video_builder.reel import Reel, measure
from video_builder.summary import SummaryWriter

META = SessionMeta(START, START + 6, True, [], 28, 30, 0, "1.2.3")


def settings(folder: Path, **keys: Any) -> VideoSection:
    return VideoSection(directory=str(folder), **{"preset": "ultrafast", **keys})


def made(folder: Path, frames: list[StoredFrame], **keys: Any) -> Film:
    return make("s1", META, lambda: frames, settings(folder, **keys))


@pytest.mark.parametrize(("codec", "name"), [("H265", "hevc"), ("H264", "h264"), ("VP9", "vp9")])
def test_every_codec_preserves_frames_and_times(tmp_path: Path, codec: str, name: str) -> None:
    """Codec, number of frames and their times match the session."""
    frames = session_frames(30)
    film = made(tmp_path, frames, codec=codec)
    found = probe(film.video)
    assert (found.codec, found.width, found.height, found.frames) == (name, 640, 480, 30)
    own_times = [frame.at - frames[0].at for frame in frames]
    assert found.times == pytest.approx(own_times, abs=0.002)
    length = frames[-1].at - frames[0].at
    assert length < found.seconds <= length + 0.25
    assert found.seconds == pytest.approx(film.seconds, abs=0.002)


@pytest.mark.parametrize("codec", ["H265", "H264", "VP9"])
def test_a_second_run_makes_the_same_files(tmp_path: Path, codec: str) -> None:
    """Byte for byte, video and side file."""
    frames = session_frames(12)
    first = made(tmp_path, frames, codec=codec, overlay=True)
    before = first.video.read_bytes(), first.side_file.read_bytes()
    second = made(tmp_path, frames, codec=codec, overlay=True)
    assert (second.video.read_bytes(), second.side_file.read_bytes()) == before
    assert second == first


def test_images_are_shown_as_judged(tmp_path: Path) -> None:
    """Each is rotated as its record says, so a video of a rotated camera is upright."""
    turns: list[Rotation] = [90, 270, 0]
    stored = [
        replace(frame, rotation=turn) for frame, turn in zip(session_frames(3), turns, strict=True)
    ]
    options = settings(tmp_path)
    extent = measure(stored, options)
    assert extent.size == (480, 640)
    with (tmp_path / "lines").open("w") as text:
        reel = Reel(options, extent, SummaryWriter(text, {}))
        shown = [image.copy() for _, image in reel.images(stored)]
    as_stored = np.rot90(shown[0], 1), np.rot90(shown[1], -1)
    assert [read_stamp(image) for image in as_stored] == [(1, 0), (1, 1)]
    assert shown[2].shape == (640, 480, 3)
    assert (shown[2][:100] == 0).all()  # the wide one is between black bars


def test_the_file_starts_with_its_index(tmp_path: Path) -> None:
    """A browser can play it while it loads; no unfinished file is left."""
    film = made(tmp_path, session_frames(5))
    data = film.video.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    assert sorted(os.listdir(tmp_path)) == ["s1.json", "s1.mp4"]


def test_the_file_describes_itself(tmp_path: Path) -> None:
    """Session, verdict and versions are in the file's metadata."""
    tags = probe(made(tmp_path, session_frames(5)).video).tags
    assert tags["title"] == "Session s1"
    assert tags["creation_time"].startswith("2025-06-15T15:06:40")
    comment = json.loads(tags["comment"])
    assert comment["verdict"]["isOk"] is True
    assert comment["versions"]["service"] == "1.2.3"


def test_the_side_file_describes_each_frame(tmp_path: Path) -> None:
    """Codes and times of each frame, the verdict, and the digest of the video."""
    film = made(tmp_path, session_frames(5))
    side_file = json.loads(film.side_file.read_text())
    assert [line["errors"] for line in side_file["frames"]] == [[3, 12]] * 4 + [[]]
    assert [line["time"] for line in side_file["frames"]] == pytest.approx(
        [0, 0.213, 0.4, 0.6, 0.813]
    )
    assert side_file["verdict"]["bestFrame"] == 28
    assert side_file["video"]["sha256"] == film.sha256
    assert side_file["video"]["frames"] == 5


def test_an_invalid_frame_is_left_out(tmp_path: Path) -> None:
    """Noise, truncated, empty and too large frames are counted; the rest is encoded."""
    frames = session_frames(8)
    for place, data in enumerate([b"noise", stamped_jpeg(1, 2)[:4000], b"", stamped_jpeg(1, 2)]):
        frames[place + 1] = replace(frames[place + 1], frame=data)
    frames[4] = replace(frames[4], frame=stamped_jpeg(1, 2, 800, 600))
    film = made(tmp_path, frames, framePixels=640 * 480)
    assert (film.frames, film.skipped) == (4, 4)
    assert probe(film.video).frames == 4
    side_file = json.loads(film.side_file.read_text())
    skipped = {line["seq"]: line["skipped"] for line in side_file["frames"] if "skipped" in line}
    assert skipped == {
        2: "frame.format",
        3: "frame.undecodable",
        4: "frame.empty",
        5: "frame.too-many-pixels",
    }


@pytest.mark.parametrize("codec", ["H265", "H264", "VP9"])
def test_sizes_may_change(tmp_path: Path, codec: str) -> None:
    """The largest size, made even, is the video's; tiny frames work too."""
    frames = session_frames(4)
    for place, size in enumerate([(320, 240), (641, 481), (480, 640)]):
        frames[place] = replace(frames[place], frame=stamped_jpeg(1, place, *size))
    found = probe(made(tmp_path, frames, codec=codec).video)
    assert (found.width, found.height, found.frames) == (642, 482, 4)
    tiny = [replace(frame, frame=stamped_jpeg(1, 1, 33, 17)) for frame in frames]
    assert probe(made(tmp_path, tiny, codec=codec).video).frames == 4


def test_only_the_last_frames_are_used(tmp_path: Path) -> None:
    """FramesLimit leaves out the first frames, even for the size."""
    frames = session_frames(6)
    frames[0] = replace(frames[0], frame=stamped_jpeg(1, 0, 800, 600))
    film = made(tmp_path, frames, framesLimit=4)
    assert (film.frames, film.skipped) == (4, 0)
    assert probe(film.video).width == 640
    assert [line["seq"] for line in json.loads(film.side_file.read_text())["frames"]] == [
        3,
        4,
        5,
        6,
    ]


def test_a_single_frame_is_a_video(tmp_path: Path) -> None:
    """One frame is shown for a second."""
    found = probe(made(tmp_path, session_frames(1)).video)
    assert (found.frames, found.seconds) == (1, 1.0)


@pytest.mark.parametrize("data", [[], [b"noise"], [stamped_jpeg(1, 1)[:3000]] * 2])
def test_without_an_image_there_is_no_video(tmp_path: Path, data: list[bytes]) -> None:
    """The error says why, and nothing is left behind."""
    frames = [StoredFrame(seq, START + seq, item, {}) for seq, item in enumerate(data, 1)]
    with pytest.raises(NoFramesError):
        made(tmp_path, frames)
    assert os.listdir(tmp_path) == []


def test_vanished_frames_are_an_error(tmp_path: Path) -> None:
    """Redis lost frames between the two readings: there is no video of the rest."""
    readings: Iterator[list[StoredFrame]] = iter([session_frames(6), session_frames(4)])
    with pytest.raises(FramesLostError, match="4 of the 6 frames"):
        make("s1", META, lambda: next(readings), settings(tmp_path))
    assert os.listdir(tmp_path) == []


def test_frames_that_arrive_late_are_not_read(tmp_path: Path) -> None:
    """The second reading stops where the first one did."""
    readings: Iterator[list[StoredFrame]] = iter([session_frames(4), session_frames(6)])
    film = make("s1", None, lambda: next(readings), settings(tmp_path))
    assert (film.frames, film.accepted) == (4, None)
