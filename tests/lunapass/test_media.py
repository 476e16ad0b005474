from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from lunapass.media import Media
from shared.config.service import LimitsSection
from shared.errors import FrameError
from shared.frame.estimation import Image

MEDIA = Media(LimitsSection())


def test_an_image_is_one_frame(tmp_path: Path, portrait: Image) -> None:
    """Its pixels are unchanged."""
    cv2.imwrite(str(tmp_path / "a.png"), portrait)
    (frame,) = MEDIA.frames(tmp_path / "a.png")
    assert np.array_equal(frame, portrait)


def test_video_is_read_frame_by_frame(tmp_path: Path) -> None:
    """A video yields each of its frames in order."""
    path = tmp_path / "a.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for level in (0, 100, 200):
        writer.write(np.full((48, 64, 3), level, np.uint8))
    writer.release()
    levels = [float(frame.mean()) for frame in MEDIA.frames(path)]
    assert levels == pytest.approx([0, 100, 200], abs=3)


def clip(folder: Path) -> Path:
    """A video of one frame of 64x48, its left half white."""
    path = folder / "a.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    frame = np.zeros((48, 64, 3), np.uint8)
    frame[:, :32] = 255
    writer.write(frame)
    writer.release()
    return path


def test_the_limits_of_the_service_apply(tmp_path: Path, portrait: Image) -> None:
    """Files with too many bytes or pixels, and videos with too many pixels, are refused alike."""
    cv2.imwrite(str(tmp_path / "a.png"), portrait)
    for limits, reason in (
        (LimitsSection(frameBytes=1000), "bytes; at most 1000"),
        (LimitsSection(framePixels=4096), "640x480 pixels; at most"),
        (LimitsSection(frameFormats=["jpeg"]), "png is not accepted"),
    ):
        with pytest.raises(FrameError, match=reason):
            list(Media(limits).frames(tmp_path / "a.png"))
    with pytest.raises(FrameError, match="64x48 pixels; at most 32x"):
        list(Media(LimitsSection(frameWidth=32)).frames(clip(tmp_path)))


def test_every_frame_is_rotated(tmp_path: Path, portrait: Image) -> None:
    """Images and videos, by the configured degrees or by those requested."""
    cv2.imwrite(str(tmp_path / "a.png"), portrait)
    media = Media(LimitsSection(), 90)
    (frame,) = media.frames(tmp_path / "a.png")
    assert np.array_equal(frame, np.rot90(portrait, -1))
    (frame,) = media.frames(tmp_path / "a.png", 180)
    assert np.array_equal(frame, np.rot90(portrait, 2))
    (frame,) = media.frames(clip(tmp_path))
    assert frame.shape == (64, 48, 3)
    assert frame[:30].mean() > 250 > 5 > frame[34:].mean()


def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    """It has a reason, like every refused frame."""
    with pytest.raises(FrameError, match="cannot be read: No such file"):
        list(MEDIA.frames(tmp_path / "gone.jpg"))


def test_gif_is_a_video(media: Path) -> None:
    """An animated GIF has all its frames."""
    assert sum(1 for _ in MEDIA.frames(media / "clips" / "classroom.gif")) > 10


@pytest.mark.parametrize("name", ["a.jpg", "a.mp4", "a.gif"])
def test_other_files_are_refused(tmp_path: Path, name: str) -> None:
    """A file that cannot be decoded is a frame error, whatever its name."""
    (tmp_path / name).write_bytes(b"not a picture")
    with pytest.raises(FrameError):
        list(MEDIA.frames(tmp_path / name))
