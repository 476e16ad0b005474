from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from lunapass.media import frames
from shared.errors import FrameError
from shared.estimation import Image


def test_picture_is_one_frame(tmp_path: Path, portrait: Image) -> None:
    """A picture is a stream of one frame with the very pixels."""
    cv2.imwrite(str(tmp_path / "a.png"), portrait)
    (frame,) = frames(tmp_path / "a.png")
    assert np.array_equal(frame, portrait)


def test_video_is_read_frame_by_frame(tmp_path: Path) -> None:
    """A video yields each of its frames in order."""
    path = tmp_path / "a.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for level in (0, 100, 200):
        writer.write(np.full((48, 64, 3), level, np.uint8))
    writer.release()
    levels = [float(frame.mean()) for frame in frames(path)]
    assert levels == pytest.approx([0, 100, 200], abs=3)


def test_gif_is_a_video(media: Path) -> None:
    """An animated GIF has all its frames."""
    assert sum(1 for _ in frames(media / "clips" / "classroom.gif")) > 10


@pytest.mark.parametrize("name", ["a.jpg", "a.mp4", "a.gif"])
def test_other_files_are_refused(tmp_path: Path, name: str) -> None:
    """What cannot be decoded is a frame error, whatever its name promises."""
    (tmp_path / name).write_bytes(b"not a picture")
    with pytest.raises(FrameError):
        list(frames(tmp_path / name))
