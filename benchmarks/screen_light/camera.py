"""A webcam: automatic exposure and white balance, noise, tone curve, 8 bit and JPEG twice.

The exposure and the white balance follow the scene with a lag. Their ranges are wider than those
of libcamera's defaults for the Raspberry Pi (0.05 and 0.2 of the error per frame), which settle
within about a second.
"""

from __future__ import annotations

import cv2
import numpy as np
import simplejpeg

from benchmarks.screen_light.scene import Chance, wandering
from benchmarks.screen_light.sequence import LUMINANCE, Array
from shared.frame.estimation import Image

ELECTRONS = 3000.0
"""Charge of a white pixel: a small sensor with gain, in the light of a room."""
READ_NOISE = 4.0
CAMERA_JPEG, PAGE_JPEG = 80, 85
FPS = 5.0


class Camera:
    """A camera with random properties.

    Args:
        chance: source of the properties and of the noise.
        frames: length of the session.
    """

    def __init__(self, chance: Chance, frames: int) -> None:
        self._chance = chance
        mixing = np.eye(3) + chance.normal(0, 0.05, (3, 3))
        self._mixing = mixing / mixing.sum(axis=1, keepdims=True)
        self._target = chance.uniform(0.12, 0.25)
        self._exposing = _share(chance.uniform(0.2, 1.5))
        self._balancing = _share(np.exp(chance.uniform(np.log(0.3), np.log(4))))
        self._balanced = chance.choice([0.0, chance.uniform(0.5, 1.0)], p=[0.1, 0.9])
        self._drift = np.exp(wandering(chance, frames, 0.03))
        self._contrast = chance.uniform(0, 0.3)
        self._saturation = chance.uniform(0.9, 1.3)
        self._exposure = 0.0
        self._gains = np.ones(3)
        self._frame = 0

    def take(self, radiance: Array) -> Image:
        """Take a frame of this light, (height, width, 3) linear RGB; returns BGR after JPEG."""
        seen = np.maximum(radiance @ self._mixing.T, 0)
        self._adjust(seen)
        charge = np.clip(seen * self._exposure * self._drift[self._frame], 0, 1) * ELECTRONS
        noise = self._chance.standard_normal(seen.shape) * np.sqrt(charge + READ_NOISE**2)
        value = np.clip((charge + noise) / ELECTRONS * self._gains, 0, 1) ** (1 / 2.2)
        value += self._contrast * value * (1 - value) * (2 * value - 1)
        grey = (value @ LUMINANCE)[..., None]
        value = grey + self._saturation * (value - grey)
        image = np.clip(255 * value[..., ::-1], 0, 255).round().astype(np.uint8)
        self._frame += 1
        return _jpeg(_jpeg(image, CAMERA_JPEG), PAGE_JPEG)

    def _adjust(self, seen: Array) -> None:
        """Follow the mean brightness and, for grey as mean colour, the mean colour."""
        mean = seen.mean(axis=(0, 1))
        exposure = self._target / (mean @ LUMINANCE)
        gains = (mean[1] / mean) ** self._balanced
        first = self._frame == 0
        self._exposure += (1.0 if first else self._exposing) * (exposure - self._exposure)
        self._gains += (1.0 if first else self._balancing) * (gains - self._gains)


def _share(seconds: float) -> float:
    """Share of an error that is corrected until the next frame."""
    return float(1 - np.exp(-1 / (FPS * seconds)))


def _jpeg(image: Image, quality: int) -> Image:
    data = simplejpeg.encode_jpeg(np.ascontiguousarray(image), quality, "BGR", "420")
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), np.uint8)
