"""Sensor noise of a camera, which makes the pixels of every frame unique.

The service refuses repeated frames, because no camera delivers a frame twice. Encoding each frame
would cost the load generator milliseconds. So each image is encoded a few times, each time with new
noise and with restart markers. The intervals between restart markers are independent, and those of
one encoding can replace those of another. A frame is a random mix of them, made in microseconds.
"""

from __future__ import annotations

import random
import re

import cv2
import numpy as np

from shared.errors import ResourceError
from shared.frame.estimation import Image

SIGMA = 1.0
"""Standard deviation of the noise in grey levels, as of a good sensor in good light."""
EXPOSURES = 4
"""Encodings of one image; a power of two, at most 256."""
INTERVALS = 64
"""Approximate number of intervals of one encoding; with four encodings there are 4**64 mixes."""
BLOCK = 16
"""Side of a coded block in pixels, with chroma at half the resolution."""

_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_SCAN = b"\xff\xda"
_END = b"\xff\xd9"


def with_noise(image: Image, chance: np.random.Generator) -> Image:
    """Add noise to an image."""
    noise = chance.standard_normal(image.shape, np.float32) * SIGMA
    return np.clip(image + noise, 0, 255).round().astype(np.uint8)


class Exposures:
    """Any number of frames of one image, each with its own noise."""

    def __init__(self, image: Image, quality: int = 85) -> None:
        # Not seeded: with a seed, every run would send the same frames, and the service refuses
        # repeated frames.
        chance = np.random.default_rng()
        encoded = [_encode(with_noise(image, chance), quality) for _ in range(EXPOSURES)]
        start = encoded[0].index(_SCAN)
        start += 2 + int.from_bytes(encoded[0][start + 2 : start + 4], "big")
        self._head = encoded[0][:start]
        pieces = [_RESTART.split(jpeg[start : -len(_END)]) for jpeg in encoded]
        markers = [b"\xff%c" % (0xD0 + n % 8) for n in range(len(pieces[0]) - 1)] + [_END]
        self._intervals = [
            tuple(piece + marker for piece in alike)
            for marker, alike in zip(markers, zip(*pieces, strict=True), strict=True)
        ]
        self._chance = random.Random()  # noqa: S311  # noise, no secret

    @classmethod
    def of_file(cls, data: bytes, quality: int = 85) -> Exposures:
        """Create exposures of an encoded image.

        Raises:
            ResourceError: the image cannot be decoded.
        """
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise ResourceError("an image of the gallery cannot be decoded")
        return cls(np.asarray(image, np.uint8), quality)

    def shot(self) -> bytes:
        """Take a frame: a JPEG with 4:2:0 chroma."""
        picks = self._chance.randbytes(len(self._intervals))
        mix = [alike[pick % EXPOSURES] for alike, pick in zip(self._intervals, picks, strict=True)]
        return b"".join([self._head, *mix])


def _encode(image: Image, quality: int) -> bytes:
    height, width = image.shape[:2]
    blocks = -(-height // BLOCK) * -(-width // BLOCK)
    options = [
        *(cv2.IMWRITE_JPEG_QUALITY, quality),
        *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420),
        *(cv2.IMWRITE_JPEG_RST_INTERVAL, max(1, blocks // INTERVALS)),
    ]
    _, data = cv2.imencode(".jpg", image, options)
    return bytes(data)
