"""The digest of a frame's pixels, by which a frame that was sent before is found again."""

from __future__ import annotations

import struct

import numpy as np
import xxhash

from shared.frame.estimation import Image


def pixel_digest(image: Image) -> bytes:
    """Compute 16 bytes that tell a frame's pixels from any other's.

    XXH3 is no cryptographic hash: two images with one digest can be made. That gains nothing,
    because of two frames with one digest the second is refused. It is 30 times faster than
    SHA-256 (.015 ms against .5 ms for 640 x 480 pixels).

    Args:
        image: the frame, (height, width, 3) BGR.
    """
    height, width = image.shape[:2]  # without them a reshaped image has the same bytes
    hashed = xxhash.xxh3_128(struct.pack("<II", height, width))
    hashed.update(np.ascontiguousarray(image).data)
    return hashed.digest()
