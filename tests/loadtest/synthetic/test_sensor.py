"""Frames of one image, each with new noise: all different, all similar, and plain JPEG."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import simplejpeg

from inference_pool.digest import pixel_digest
from loadtest.synthetic.sensor import INTERVALS, Exposures, with_noise
from shared.config.service import LimitsSection
from shared.errors import ResourceError
from shared.frame import intake
from shared.frame.estimation import Image

SIZES = [(640, 480), (641, 479), (1280, 720), (33, 17), (16, 16)]


def gradient(width: int, height: int) -> Image:
    rows = np.linspace(20, 230, height, dtype=np.float32)[:, None, None]
    columns = np.linspace(0, 25, width, dtype=np.float32)[None, :, None]
    return np.repeat(rows + columns, 3, axis=2).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_no_two_shots_have_the_same_pixels(width: int, height: int) -> None:
    """All are complete JPEGs of the image's size, and close to it."""
    image = gradient(width, height)
    exposures = Exposures(image)
    shots = [exposures.shot() for _ in range(60 if width > 100 else 3)]
    decoded = [simplejpeg.decode_jpeg(shot, "BGR", strict=True) for shot in shots]
    if width > 100:
        assert len({pixel_digest(frame) for frame in decoded}) == len(shots)
    for shot, frame in zip(shots, decoded, strict=True):
        header = intake.judge(shot, LimitsSection())
        assert (header.width, header.height, header.format) == (width, height, "jpeg")
        assert np.abs(frame.astype(int) - image).mean() < 3


def test_the_same_image_in_another_process_gives_other_frames() -> None:
    """A second run of the same crowd repeats no frame of the first."""
    image = gradient(640, 480)
    runs = [{Exposures(image).shot() for _ in range(5)} for _ in range(2)]
    assert not runs[0] & runs[1]


def test_a_shot_mixes_all_encodings() -> None:
    """There are enough intervals that a mix does not repeat."""
    shot = Exposures(gradient(640, 480)).shot()
    markers = sum(shot.count(b"\xff%c" % marker) for marker in range(0xD0, 0xD8))
    assert markers + 1 >= INTERVALS


def test_a_file_of_any_format_is_shown() -> None:
    """A file of any format is decoded; a rotated one is upright."""
    _, png = cv2.imencode(".png", gradient(320, 240))
    frame = simplejpeg.decode_jpeg(Exposures.of_file(bytes(png)).shot(), "BGR")
    assert frame.shape == (240, 320, 3)
    with pytest.raises(ResourceError, match="cannot be decoded"):
        Exposures.of_file(b"no picture")


def test_the_noise_is_that_of_a_good_sensor() -> None:
    """About one grey level, and nothing wraps around at black and white."""
    chance = np.random.default_rng(1)
    grey = np.full((480, 640, 3), 128, np.uint8)
    noise = with_noise(grey, chance).astype(int) - grey
    assert abs(noise.mean()) < 0.01
    assert 0.9 < noise.std() < 1.2
    for level in (0, 255):
        assert np.abs(with_noise(np.full_like(grey, level), chance).astype(int) - level).max() < 10
