"""The noise of a camera's sensor, so that no two frames have the same pixels.

The service refuses a frame that it has seen before, as no camera delivers one twice. To encode each
frame anew would cost the load generator milliseconds. So each picture is encoded a few times, each
time with noise of its own and with restart markers: the intervals between two of them stand on
their own, and those of one encoding may take the place of those of another. A frame is a random
mix, made in microseconds.
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
"""Encodings of one picture; a power of two, at most 256."""
INTERVALS = 64
"""Intervals of one encoding, about: with four encodings there are 4**64 mixes."""
BLOCK = 16
"""Pixels of a coded block's side, with chroma at half the resolution."""

_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_SCAN = b"\xff\xda"
_END = b"\xff\xd9"


def with_noise(image: Image, chance: np.random.Generator) -> Image:
    """Add noise to a picture."""
    noise = chance.standard_normal(image.shape, np.float32) * SIGMA
    return np.clip(image + noise, 0, 255).round().astype(np.uint8)


class Exposures:
    """Any number of frames of one picture, each with noise of its own.

    Args:
        image: (height, width, 3) BGR.
        quality: JPEG quality, 1..100.
    """

    def __init__(self, image: Image, quality: int = 85) -> None:
        # Not seeded: the frames of an earlier run would be repetitions for the service.
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
        """Make exposures of an encoded picture.

        Raises:
            ResourceError: the picture cannot be read.
        """
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise ResourceError("a picture to be shown cannot be read")
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
