"""The camera that takes a recapture, or takes a person once more: blur, exposure, noise, JPEG."""

from __future__ import annotations

import cv2
import numpy as np

from evaluation.adapt.light import Chance, Light, between, to_pixels
from shared.frame.estimation import Image

MAX_BLUR = 0.014
"""Largest deviation of the blur, in widths of the face: beyond it the blur check refuses frames."""


def taken(light: Light, face_width: float, chance: Chance) -> Image:
    """Take an image by a random camera.

    ``face_width`` is in pixels.
    """
    sigma = face_width * between(chance, 0.001, MAX_BLUR)
    seen = cv2.GaussianBlur(light, (0, 0), max(0.2, sigma))
    balance = 1 + 0.03 * chance.standard_normal(3)
    exposed = seen * (2 ** between(chance, -0.35, 0.35) * balance).astype(np.float32)
    pixels = to_pixels(np.asarray(exposed, np.float32)).astype(np.float32)
    pixels += between(chance, 0.3, 3.0) * chance.standard_normal(pixels.shape, np.float32)
    noisy = np.asarray(np.clip(np.rint(pixels), 0, 255), np.uint8)
    quality = int(chance.integers(65, 97))
    _, jpeg = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)
